"""Every row of an incident stands in its log and every entry has its row: what was done past the steps is named."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, models, transaction

from comms.models import Delivery, Notice
from incidents import clock
from incidents.evidence import attachments, completeness, log
from incidents.models import (
    AcceptedRisk,
    Action,
    Approval,
    Attachment,
    Attempt,
    BaselineBlocker,
    CleanupItem,
    Confirmation,
    CycleOwner,
    Exhibit,
    FollowUp,
    Freeze,
    FreezeException,
    FreezeMeasure,
    Gate,
    GateRun,
    Incident,
    Membership,
    PrivateValue,
    Proposal,
    Review,
    Safeguard,
    Target,
)
from incidents.steps import cleanup, four_eyes, freeze, privacy
from incidents.terms import Act, Kind, Level, Measure, Phase, Role
from tests.comms.world import eventful_incident, told_crew
from tests.factories import Crew, make_crew, make_incident
from tests.incidents.evidence import past_the_log

pytestmark = pytest.mark.django_db

Rows = dict[type[models.Model], Any]
OURS = ("incidents", "comms", "accounts")
# Tables of which an incident has one row: the database refuses a second one.
ONE_EACH = {Incident, Freeze, Review}


def sentences(incident: Incident) -> list[str]:
    return [gap.sentence for gap in completeness.check(incident)]


def busy_incident(crew: Crew) -> Incident:
    """An incident with a file as evidence, and something that waits for a second person."""
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    lead = crew[Role.DATA_EVIDENCE_LEAD]
    file = attachments.store(incident, SimpleUploadedFile("notes.txt", b"repaired"), lead)
    cleanup.attach(
        incident, "cleanup:repair-notes", owner=Role.DATA_EVIDENCE_LEAD, by=lead, attachment=file, personal=True
    )
    four_eyes.propose(incident, Act.STAND_DOWN, by=crew.commander, reason="It was the monitor")
    return incident


@pytest.fixture
def lived() -> list[Incident]:
    """Incidents in which every table has a row."""
    return [eventful_incident(told_crew()), busy_incident(make_crew())]


def last_rows(lived: list[Incident]) -> dict[type[models.Model], tuple[Incident, Any]]:
    """The last row of each table, with its incident."""
    found = {}
    for incident in reversed(lived):
        for rule in completeness.RULES:
            for row in rule.rows(incident):
                found[rule.model] = (incident, row)
    return found


# What has a rule ----------------------------------------------------------------------------------------------------


def test_every_table_has_a_rule_or_a_reason_why_it_needs_none() -> None:
    ours = {model for app in OURS for model in apps.get_app_config(app).get_models()}
    ruled, exempt = completeness.covered(), set(completeness.EXEMPT)

    assert {model.__name__ for model in ours - ruled - exempt} == set()
    assert {model.__name__ for model in (ruled & exempt) | (exempt - ours)} == set()
    assert all(completeness.EXEMPT.values())


# What is complete ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", list(Level))
def test_a_whole_incident_has_no_gap(level: Level) -> None:
    incident = make_incident(make_crew(), at=Phase.CLOSED, level=level)

    assert sentences(incident) == []


def test_a_false_alarm_has_no_gap() -> None:
    assert sentences(make_incident(make_crew(), at=Phase.STOOD_DOWN)) == []


def test_an_incident_that_met_everything_has_no_gap(lived: list[Incident]) -> None:
    assert {incident.reference: sentences(incident) for incident in lived} == {
        incident.reference: [] for incident in lived
    }


def test_a_proposal_is_explained_once_it_is_confirmed_and_once_it_is_declined() -> None:
    crew = make_crew()
    incident = make_incident(crew)
    asked = {"measure": Measure.MERGES, "environment": None, "expires_at": "2099-01-01T00:00:00+00:00"}
    for subject, decide in (("core#1", four_eyes.confirm), ("core#2", four_eyes.decline)):
        proposal = four_eyes.propose(
            incident, Act.ALLOW_EXCEPTION, by=crew.commander, reason="Carries the fix", subject=subject, **asked
        )
        reason = {"reason": "Not now"} if decide is four_eyes.decline else {}
        decide(proposal, by=crew[Role.API_LEAD], **reason)

    entry = incident.chain.entries.get(kind=Kind.EXCEPTION_ALLOWED)
    assert entry.body["proposal"] == incident.proposals.first().pk
    assert sentences(incident) == []


def test_what_was_erased_by_an_entry_is_no_gap(lived: list[Incident]) -> None:
    _, incident = lived
    commander = incident.memberships.get(role=Role.COMMANDER).user
    for value in privacy.values_of(incident):
        second = incident.memberships.get(role=Role.SECURITY_LEAD).user
        privacy.erase(incident, value.seq, value.path, by=commander, second=second, reason="Asked for by the person")

    assert incident.attachments.get().name == "(erased)"
    assert sentences(incident) == []


# What is not --------------------------------------------------------------------------------------------------------


def forged(rows: Rows) -> dict[type[models.Model], dict[str, Any]]:
    """What a copy of a row differs in, so that no constraint refuses it."""
    now = clock.now()
    replaced = Target.objects.get(incident=rows[Target].incident, replaced_at__isnull=False)
    unexplained = GateRun.objects.filter(gate__incident=rows[GateRun].gate.incident, baseline_blocker=None).first()
    assert unexplained
    return {
        Membership: {"ended_at": now},
        CycleOwner: {"replaced_at": now},
        FreezeMeasure: {"measure": Measure.MERGES, "environment_id": rows[FreezeMeasure].environment_id},
        FreezeException: {},
        Proposal: {},
        Target: {"replaced_at": now},
        Confirmation: {"target_id": replaced.pk, "aspect": "migration_state"},
        Action: {"key": "forged"},
        Approval: {},
        Attempt: {"id": uuid.uuid4(), "number": 99},
        CleanupItem: {"key": "forged"},
        Attachment: {},
        Exhibit: {},
        Gate: {"key": "forged"},
        GateRun: {"id": uuid.uuid4()},
        BaselineBlocker: {"run_id": unexplained.pk},
        AcceptedRisk: {},
        PrivateValue: {"path": "forged"},
        FollowUp: {"number": 99},
        Safeguard: {},
        Notice: {"id": uuid.uuid4(), "sequence": 99},
        Delivery: {"id": uuid.uuid4(), "message_id": "<forged@example.test>", "email": "forged@example.test"},
    }


# One column of each table, and a value that no entry says.
CHANGED: dict[type[models.Model], tuple[str, Any]] = {
    Incident: ("phase", Phase.DECLARED),
    Membership: ("accepted_at", clock.now()),
    CycleOwner: ("accepted_at", None),
    Freeze: ("active", True),
    FreezeMeasure: ("in_force", True),
    FreezeException: ("expires_at", clock.now() + timedelta(days=365)),
    Proposal: ("sentence", "Accept a small risk"),
    Target: ("identifier", "badc0de"),
    Confirmation: ("note", "Looked at it twice"),
    Action: ("state", "planned"),
    Approval: ("digest", "0" * 64),
    Attempt: ("state", "failed"),
    CleanupItem: ("state", "waived"),
    Attachment: ("sha256", "0" * 64),
    Exhibit: ("text", "All is well"),
    Gate: ("owner", "commander"),
    GateRun: ("outcome", "error"),
    BaselineBlocker: ("proof", "Trust me"),
    AcceptedRisk: ("change_number", 999),
    PrivateValue: ("value", "Somebody else"),
    Review: ("root_cause", "Nobody's fault"),
    FollowUp: ("acceptance", "Looks good"),
    Safeguard: ("change", "Nothing"),
    Notice: ("body", "All is well."),
    Delivery: ("content", b"From: nobody"),
}


def named_after(incident: Incident, attack: Callable[[], None]) -> set[str]:
    """The tables of which a gap is named after an attack, which is then undone."""
    with past_the_log.undone():
        attack()
        found = completeness.check(incident)
    return {gap.model.__name__ for gap in found}


def test_a_row_of_any_table_that_was_put_in_by_sql_is_named(lived: list[Incident]) -> None:
    rows = last_rows(lived)
    copies = forged({model: row for model, (_, row) in rows.items()})
    named = {
        model.__name__: named_after(incident, lambda row=row, model=model: past_the_log.insert(row, **copies[model]))
        for model, (incident, row) in rows.items()
        if model not in ONE_EACH
    }

    assert {model.__name__ for model in completeness_models() - set(rows)} == set()
    assert {model: found for model, found in named.items() if found != {model}} == {}


def test_the_database_refuses_a_second_row_where_an_incident_has_one(lived: list[Incident]) -> None:
    rows = last_rows(lived)

    for model in ONE_EACH:
        with pytest.raises(IntegrityError), transaction.atomic():
            past_the_log.insert(rows[model][1])


def test_a_row_of_any_table_that_was_changed_by_sql_is_named(lived: list[Incident]) -> None:
    named = {
        model.__name__: named_after(incident, lambda row=row, model=model: past_the_log.change(row, *CHANGED[model]))
        for model, (incident, row) in last_rows(lived).items()
    }

    assert {model.__name__ for model in completeness_models() - set(CHANGED)} == set()
    assert {model: found for model, found in named.items() if model not in found} == {}


def test_a_row_of_any_table_that_was_taken_out_by_sql_is_named(lived: list[Incident]) -> None:
    named = {
        model.__name__: named_after(incident, lambda row=row: past_the_log.delete(row))
        for model, (incident, row) in last_rows(lived).items()
    }

    assert {model: found for model, found in named.items() if model not in found} == {}


def completeness_models() -> set[type[models.Model]]:
    return {rule.model for rule in completeness.RULES}


def test_sentences_name_the_row_and_the_entry() -> None:
    crew = make_crew()
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    exception = freeze.allow_exception(
        incident,
        measure=Measure.MERGES,
        subject="core#1190",
        reason="Carries the fix",
        expires_at=clock.now() + timedelta(hours=1),
        by=crew.commander,
        second=crew[Role.API_LEAD],
    )
    allowed = last_entry(incident)
    chosen, action = incident.targets.get(), incident.actions.get(key="3a-redeploy")
    planned = incident.chain.entries.get(kind=Kind.PLAN_MADE).seq
    past_the_log.delete(exception)
    past_the_log.insert(chosen, identifier="0000000", replaced_at=clock.now())
    other = incident.targets.get(identifier="0000000")
    past_the_log.insert(chosen.confirmations.get(aspect="migration_state"), target_id=other.pk)
    past_the_log.change(action, "state", "succeeded")

    assert sentences(incident) == [
        f"Entry {allowed} speaks of exception {exception.pk}, which is gone.",
        "Target “commit 0000000” stands in no entry.",
        "Confirmation of migration state of 0000000 stands in no entry.",
        f"Action “{action}”: state is “succeeded”, but entry {planned} says “planned”.",
    ]


def last_entry(incident: Incident) -> int:
    return int(incident.chain.entries.latest("seq").seq)


def test_an_entry_that_lacks_what_its_rows_need_is_named_and_stops_nothing() -> None:
    incident = make_incident(make_crew())
    said = {"sentence": "Accepted"}
    entry = log.append(incident.chain, Kind.ROLE_ACCEPTED, at=clock.now(), actor=log.SYSTEM_ACTOR, body=said)

    assert sentences(incident) == [
        f"Entry {entry.seq} does not say which role assignment it is about: 'membership' is missing or wrong."
    ]

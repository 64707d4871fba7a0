"""Suggested declarations: counted, ended, expired, bounded, and decided once by those who may declare."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from incidents import clock
from incidents.api import inbound
from incidents.models import EvidenceEntry, Incident, Suggestion
from incidents.steps import declare, roles, suggest
from incidents.steps.base import Denied, Refused
from incidents.terms import Kind, Level, Role, SuggestionState
from tests.factories import Crew, UserFactory, make_crew
from tests.incidents.connectors.given import a_notification
from tests.incidents.steps.at_once import at_once

pytestmark = pytest.mark.django_db


@pytest.fixture
def crew() -> Crew:
    return make_crew()


def alert(crew: Crew, status: str = "firing", **changes: Any) -> Suggestion | None:
    told = inbound.of_alertmanager(a_notification(status, **changes))
    return suggest.receive(told, crew.product, by=crew.outsider, token="Alertmanager")


def waiting(crew: Crew, **changes: Any) -> Suggestion:
    found = alert(crew, **changes)
    assert found
    return found


def declared(crew: Crew, suggestion: Suggestion | None = None, **changes: Any) -> Incident:
    fields = {"trigger": "regression", "summary": "Lag", "scope_level": Level.L1, "by": crew.commander, **changes}
    return declare.rollback_mode(product=crew.product, suggestion=suggestion, **fields)


def globally() -> list[EvidenceEntry]:
    return list(EvidenceEntry.objects.filter(chain__incident=None, kind=Kind.SUGGESTION_DISMISSED))


def test_the_same_told_again_is_counted_and_shows_what_was_told_last(crew: Crew) -> None:
    first = waiting(crew)
    later = clock.now() + timedelta(minutes=5)

    with time_machine.travel(later, tick=False):
        again = waiting(crew, commonAnnotations={"summary": "Projections are 20 minutes behind"})

    assert (again.pk, again.count, again.first_seen_at) == (first.pk, 2, first.first_seen_at)
    assert (again.title, again.last_seen_at) == ("ProjectionLag: Projections are 20 minutes behind", later)
    assert Incident.objects.count() == 0


def test_a_flood_is_counted_to_a_million(crew: Crew) -> None:
    suggestion = waiting(crew)
    Suggestion.objects.filter(pk=suggestion.pk).update(count=suggest.MOST_COUNTED)

    assert waiting(crew).count == 1_000_000


def test_another_group_or_product_is_another_suggestion(crew: Crew) -> None:
    found = {waiting(crew).pk, waiting(crew, groupKey="other").pk, waiting(make_crew()).pk}

    assert len(found) == 3


def test_an_end_is_shown_and_a_new_beginning_takes_it_back(crew: Crew) -> None:
    waiting(crew)
    ended = alert(crew, "resolved")
    again = waiting(crew)

    assert ended
    assert (ended.is_waiting, ended.resolved_at is None) == (True, False)
    assert (again.pk, again.resolved_at, again.count) == (ended.pk, None, 3)


def test_the_end_of_what_nobody_told_is_nothing(crew: Crew) -> None:
    assert alert(crew, "resolved") is None
    assert Suggestion.objects.count() == 0


def test_a_product_has_at_most_a_hundred_that_wait(crew: Crew) -> None:
    for number in range(suggest.MOST_WAITING):
        alert(crew, groupKey=f"group {number}")

    with pytest.raises(Refused, match="100 suggestions wait"):
        alert(crew, groupKey="one more")

    assert waiting(crew, groupKey="group 7").count == 2
    assert waiting(make_crew()).is_waiting


# Declared and dismissed ----------------------------------------------------------------------------------------------


def test_a_declaration_answers_it_and_its_first_entry_names_it(crew: Crew) -> None:
    suggestion = waiting(crew)
    waiting(crew)
    suggestion.refresh_from_db()

    incident = declared(crew, suggestion)

    suggestion.refresh_from_db()
    assert (suggestion.state, suggestion.incident, suggestion.decided_by) == ("declared", incident, crew.commander)
    entry = incident.chain.entries.get(seq=1)
    assert entry.body["sentence"].endswith(
        ", as suggested by Alertmanager: ProjectionLag: Projections are 14 minutes behind"
    )
    assert entry.body["suggestion"] == {
        "id": suggestion.pk,
        "source": "alertmanager",
        "title": suggestion.title,
        "link": suggestion.link,
        "count": 2,
        "first_seen_at": clock.stamp(suggestion.first_seen_at),
        "last_seen_at": clock.stamp(suggestion.last_seen_at),
        "sent_by": str(crew.outsider.public_id),
        "token": "Alertmanager",
    }


def test_one_that_waits_no_more_or_is_about_another_product_declares_nothing(crew: Crew) -> None:
    gone, elsewhere = waiting(crew), waiting(make_crew())
    suggest.dismiss(gone, by=crew.commander, reason="Known")

    for suggestion, sentence in ((gone, "waits no more: it is dismissed"), (elsewhere, "is about")):
        with pytest.raises(Refused, match=sentence):
            declared(crew, suggestion)

    assert Incident.objects.count() == 0


def test_a_dismissal_is_an_entry_of_the_global_log(crew: Crew) -> None:
    suggestion = waiting(crew)

    suggest.dismiss(suggestion, by=crew.deputy, reason=" Planned load test ")

    (entry,) = globally()
    assert (suggestion.state, suggestion.decided_by, suggestion.reason) == (
        "dismissed",
        crew.deputy,
        "Planned load test",
    )
    assert entry.body["sentence"] == f"Suggested declaration for {crew.product} dismissed: Planned load test"
    assert (entry.body["reason"], entry.body["suggestion"]["id"]) == ("Planned load test", suggestion.pk)
    assert entry.actor == {"kind": "user", "id": str(crew.deputy.public_id)}


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501, "a\x00b"])
def test_a_dismissal_needs_a_reason_that_can_be_kept(crew: Crew, reason: str) -> None:
    suggestion = waiting(crew)

    with pytest.raises(Refused):
        suggest.dismiss(suggestion, by=crew.commander, reason=reason)

    assert (Suggestion.objects.get().state, globally()) == (SuggestionState.WAITING, [])


def test_only_those_who_may_declare_dismiss(crew: Crew) -> None:
    suggestion = waiting(crew)

    for person in (crew[Role.API_LEAD], crew.outsider, UserFactory(is_staff=True, is_superuser=True)):
        with pytest.raises(Denied):
            suggest.dismiss(suggestion, by=person, reason="Known")

    assert (Suggestion.objects.get().state, globally()) == (SuggestionState.WAITING, [])


def test_what_was_dismissed_stays_so_while_the_same_lasts(crew: Crew) -> None:
    suggestion = waiting(crew)
    suggest.dismiss(suggestion, by=crew.commander, reason="Known")

    repeated = waiting(crew, commonAnnotations={"summary": "Other words"})
    alert(crew, "resolved")
    anew = waiting(crew)

    assert (repeated.pk, repeated.state, repeated.count, repeated.title) == (
        suggestion.pk,
        SuggestionState.DISMISSED,
        2,
        suggestion.title,
    )
    assert (anew.pk == suggestion.pk, anew.state) == (False, SuggestionState.WAITING)


def test_what_was_declared_is_not_suggested_again_while_its_incident_is_open(crew: Crew) -> None:
    suggestion = waiting(crew)
    incident = declared(crew, suggestion)
    repeated = waiting(crew)

    declare.stand_down(incident, by=crew.commander, second=accepted(incident, crew), reason="False alarm")
    anew = waiting(crew)

    assert (repeated.pk, repeated.state) == (suggestion.pk, SuggestionState.DECLARED)
    assert (anew.pk == suggestion.pk, anew.state) == (False, SuggestionState.WAITING)


def accepted(incident: Incident, crew: Crew) -> Any:
    roles.accept(incident, Role.API_LEAD, by=crew[Role.API_LEAD])
    return crew[Role.API_LEAD]


# Expiry --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "after", "state"),
    [
        ("firing", timedelta(hours=23), "waiting"),
        ("firing", timedelta(hours=25), "expired"),
        ("resolved", timedelta(hours=1), "waiting"),
        ("resolved", timedelta(hours=3), "expired"),
    ],
)
def test_it_expires_when_nothing_more_is_heard_or_soon_after_it_has_ended(
    crew: Crew, status: str, after: timedelta, state: str
) -> None:
    waiting(crew)
    alert(crew, status)

    with time_machine.travel(clock.now() + after):
        suggest.expire()

    assert Suggestion.objects.get().state == state


def test_what_was_decided_is_forgotten_after_a_month_but_for_what_led_to_an_incident(crew: Crew) -> None:
    suggest.dismiss(waiting(crew, groupKey="dismissed"), by=crew.commander, reason="Known")
    waiting(crew, groupKey="expired")
    kept = waiting(crew, groupKey="declared")
    declared(crew, kept)

    for days in (2, 40):
        with time_machine.travel(clock.now() + timedelta(days=days)):
            suggest.expire()

    assert [suggestion.pk for suggestion in Suggestion.objects.all()] == [kept.pk]
    assert len(globally()) == 1


# At once -------------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_the_same_told_by_ten_at_once_is_one_row() -> None:
    crew = make_crew()

    outcomes = at_once(*[lambda: alert(crew)] * 10)

    assert outcomes == ["done"] * 10
    assert Suggestion.objects.get().count == 10


@pytest.mark.django_db(transaction=True)
def test_declared_and_dismissed_at_once_has_one_winner() -> None:
    crew = make_crew()
    suggestion = waiting(crew)
    other = Suggestion.objects.select_related("product", "sent_by").get()

    outcomes = at_once(
        lambda: declared(crew, suggestion), lambda: suggest.dismiss(other, by=crew.deputy, reason="Known")
    )

    assert sorted(outcomes) == ["done", "refused"]
    state = Suggestion.objects.get().state
    assert (state, Incident.objects.count(), len(globally())) in (("declared", 1, 0), ("dismissed", 0, 1))

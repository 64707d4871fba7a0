"""Who asks, and one incident with something of everything that can be asked for."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from comms import notices
from incidents import clock
from incidents.api import inbound
from incidents.connectors.base import Limits
from incidents.evidence import attachments, checkpoints
from incidents.evidence.foreign.findings import Mode
from incidents.models import AuditGrant, Connector, Incident, Wiring
from incidents.steps import foreign, four_eyes, freeze, rollback, suggest
from incidents.terms import Act, ConnectorKind, Level, Measure, NoticeKind, Phase, Role
from portal.accounts.models import ApiToken
from tests.comms.world import told_crew
from tests.factories import Crew, UserFactory, make_crew, make_incident
from tests.incidents.connectors.given import a_notification
from tests.incidents.evidence.foreign.writing import v1

__all__ = ["Limits"]

ANONYMOUS = "anonymous"
NO_ROLE = "no role"
OTHER_COMMANDER = "commander elsewhere"
MIXED = "API Lead here and commander elsewhere"
AUDITOR = "auditor"
STAFF = "staff"
SUPERUSER = "superuser"
ROLES = tuple(role.value for role in Role)
PEOPLE = (ANONYMOUS, NO_ROLE, *ROLES, OTHER_COMMANDER, MIXED, AUDITOR, STAFF, SUPERUSER)


@dataclass
class Place:
    """One incident and what leads into it: the parts of addresses by their names in the routes."""

    incident: Incident
    parts: dict[str, Any]

    def address(self, name: str, route: str) -> str:
        """The address of a route, led to what this place has."""
        return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda part: str(self._part(part[1], name)), route)

    def operation_parts(self, path: str) -> dict[str, Any]:
        """What the words of an operation's path stand for, where they differ from a page's."""
        keys = {"cleanup/items": "data-revert", "cleanup/evidence": "repair-notes", "verify/gates": self.parts["gate"]}
        key = next((found for part, found in keys.items() if part in path), self.parts["key"])
        return {"key": key, "area": "api_lead"}

    def _part(self, word: str, name: str) -> Any:
        return self.parts.get(f"{word} of {name}", self.parts.get(word))


@dataclass
class World:
    """Everybody who may ask, and for which incident they ask."""

    people: dict[str, Any]
    here: Place
    of_mixed: Place

    def place_of(self, identity: str) -> Place:
        return self.of_mixed if identity == MIXED else self.here


def build() -> World:
    crew, other, mixed = told_crew(), make_crew(), told_crew()
    elsewhere = make_crew()
    elsewhere.people[Role.COMMANDER] = mixed[Role.API_LEAD]
    elsewhere.product.roster.filter(role=Role.COMMANDER, rank=1).update(user=mixed[Role.API_LEAD])
    make_incident(other)
    make_incident(elsewhere)
    people: dict[str, Any] = {role.value: crew[role] for role in Role}
    people |= {
        ANONYMOUS: None,
        NO_ROLE: crew.outsider,
        OTHER_COMMANDER: other.commander,
        MIXED: mixed[Role.API_LEAD],
        AUDITOR: UserFactory(),
        STAFF: UserFactory(is_staff=True),
        SUPERUSER: UserFactory(is_staff=True, is_superuser=True),
    }
    connector = Connector.objects.create(name="Bell", kind=ConnectorKind.MANUAL)
    Wiring.objects.create(product=crew.product, key="3a-redeploy", connector=connector)
    ApiToken.issue(crew.commander, name="Pipeline", scopes=["check"])
    AuditGrant.objects.create(user=people[AUDITOR], reason="Audit", expires_at=clock.now() + timedelta(days=1))
    return World(people, _place(crew), _place(mixed))


def _place(crew: Crew) -> Place:
    incident = make_incident(crew, at=Phase.ROLLING_BACK, level=Level.L3)
    lead = crew[Role.DATA_EVIDENCE_LEAD]
    exception = freeze.allow_exception(
        incident,
        measure=Measure.CLAIMS,
        subject="bd-1",
        reason="The fix",
        expires_at=clock.now() + timedelta(hours=1),
        by=crew.commander,
        second=crew[Role.API_LEAD],
    )
    proposal = four_eyes.propose(incident, Act.STAND_DOWN, by=crew.commander, reason="False alarm")
    attachment = attachments.store(incident, SimpleUploadedFile("a.txt", b"bytes"), crew.commander)
    log = SimpleUploadedFile("run.json", json.dumps({"items": v1(5)}).encode())
    verdict = foreign.checked(log, Mode.WHOLE, "")
    entry = foreign.keep(incident, log, verdict, on="cleanup:chain-output", by=lead)
    words = notices.draft(incident, NoticeKind.A)
    said = {"subject": words.subject, "body": words.body, "next_update_at": words.next_update_at}
    notice = notices.issue(incident, NoticeKind.A, **said, by=crew[Role.COMMUNICATIONS_OWNER])
    action = incident.actions.first()
    rollback.approve(action, by=crew[Role.SECURITY_LEAD])
    rollback.dispatch(action, by=crew[Role(action.owner)])
    checkpoints.sign(incident.chain, "test")
    alert = inbound.of_alertmanager(a_notification())
    suggestion = suggest.receive(alert, crew.product, by=crew.outsider, token="Alertmanager")
    assert suggestion
    parts = {
        "reference": incident.reference,
        "ref": incident.reference,
        "aspect": "migration_state",
        "key": action.key,
        "area": incident.book.cleanup[0].key,
        "gate": incident.book.gates[0].key,
        "stage": "merges",
        "seq": entry.seq,
        "pk": proposal.pk,
        "pk of incidents:revoke_exception": exception.pk,
        "pk of comms:notice": notice.pk,
        "pk of comms:again": notice.pk,
        "copy": notice.deliveries.first().pk,
        "copy_id": notice.deliveries.first().pk,
        "area of incidents:name_owner": "api_lead",
        "area of incidents:accept_ownership": "api_lead",
        "kind": "B",
        "sha256": attachment.sha256,
        "slug": crew.product.slug,
        "product": crew.product.slug,
        "number": incident.runbook.number,
        "person": crew.deputy.pk,
        "person_mail": crew.deputy.email,
        "role": "api_lead",
        "pk of incidents:dismiss_suggestion": suggestion.pk,
        "suggestion_id": suggestion.pk,
        "exception_id": exception.pk,
        "proposal_id": proposal.pk,
        "attachment_id": attachment.pk,
    }
    return Place(incident, parts)

"""What every write does: may they, lock, refuse with reasons, one clock reading, change, record, tell after commit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from incidents import authority, clock, lifecycle, policy
from incidents.evidence import log
from incidents.evidence.signals import entry_recorded
from incidents.models import EvidenceEntry, Incident
from incidents.terms import Act, Kind, Phase, Role


class Denied(Exception):
    """The person does not hold a role that may do this."""


class Refused(Exception):
    """The act is not possible now. `sentences` say why, each one something a person can act on."""

    def __init__(self, *sentences: str) -> None:
        super().__init__(" ".join(sentences))
        self.sentences = list(sentences)


class AlreadyFrozen(Refused):
    """The product has an active freeze; `reference` names the incident that holds it."""

    def __init__(self, reference: str) -> None:
        super().__init__(f"{reference} already holds the freeze of this product.")
        self.reference = reference


class Unrecorded(Exception):
    """A step changed something and recorded nothing. A bug, and the transaction is rolled back."""


@dataclass
class Taken:
    """One act being done: the locked incident, who does it in which role, and when."""

    incident: Incident
    act: Act
    by: Any
    role: Role | None
    second: Any
    at: datetime
    _entry: tuple[Kind, dict[str, Any]] | None = field(default=None)
    entry: EvidenceEntry | None = None

    def refuse_if(self, sentences: Iterable[str]) -> None:
        if found := list(sentences):
            raise Refused(*found)

    def record(self, kind: Kind, sentence: str, **facts: Any) -> None:
        """Say what happened; exactly one entry an act. `sentence` is what people read, `facts` what machines read."""
        if self._entry is not None:
            raise Unrecorded(f"{self.act} recorded twice")
        self._entry = (kind, {"sentence": sentence, "incident": self.incident.reference, **facts})

    def move_to(self, phase: Phase) -> None:
        """Enter another phase, if the lifecycle knows the way."""
        current = Phase(self.incident.phase)
        if phase == current:
            return
        if phase not in lifecycle.NEXT[current]:
            raise Refused(f"An incident that is {current.label.lower()} cannot become {phase.label.lower()}.")
        self.incident.phase = phase
        self.incident.save(update_fields=["phase"])

    def note_change(self) -> None:
        """The delivered system changed: gates that passed before are stale, stability begins again."""
        self.incident.change_number += 1
        self.incident.changed_at = self.at
        self.incident.save(update_fields=["change_number", "changed_at"])

    def write(self) -> None:
        if self._entry is None:
            raise Unrecorded(f"{self.act} recorded nothing")
        kind, body = self._entry
        actor = log.person(self.by, self.role or "", self.second) if self.by else log.SYSTEM_ACTOR
        entry = log.append(self.incident.chain, kind, at=self.at, actor=actor, body=body)
        self.entry = entry
        told = {"incident_id": self.incident.pk, "kind": kind, "body": body, "entry_id": entry.pk}
        transaction.on_commit(lambda: entry_recorded.send_robust(Incident, **told), robust=True)


def locked(incident_id: int) -> Incident:
    """The incident's row, locked until commit. Whatever couples two rows of an incident locks this one first."""
    options = {"no_key": True} if connection.features.has_select_for_no_key_update else {}
    rows = Incident.objects.select_for_update(of=("self",) if options else (), **options)
    return rows.select_related("product", "runbook", "chain").get(pk=incident_id)


@contextmanager
def step(incident: Incident, act: Act, *, by: Any, owner: Role | None = None, second: Any = None) -> Iterator[Taken]:
    """One write: lock the incident, check authority and phase, let the body change and record, then append.

    Args:
        by: the person, or None where the portal acts after a person asked (policy.SYSTEM).
        owner: the role that an owned act belongs to.
        second: the second person who confirmed, where the act needs one.

    Raises:
        Denied: no role that `by` holds carries the act.
        Refused: the phase or a blocker forbids it; nothing has changed.
    """
    with transaction.atomic():
        current = locked(incident.pk)
        role = _authority(current, act, by, owner)
        if sentence := lifecycle.refusal(act, Phase(current.phase)):
            raise Refused(sentence)
        taken = Taken(current, act, by, role, second, clock.now())
        yield taken
        taken.write()
    incident.refresh_from_db()


def _authority(incident: Incident, act: Act, by: Any, owner: Role | None) -> Role | None:
    if by is None:
        if act not in policy.SYSTEM:
            raise Denied(f"{act.label} needs a person.")
        return None
    if act in policy.PERSONAL:
        return owner
    role = authority.can(by, act, incident, owner)
    if role is None:
        raise Denied(f"{act.label} is for the {policy.who_may(act, owner)} of this incident.")
    return role

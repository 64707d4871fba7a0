"""What every write does: may they, lock, refuse with reasons, one clock reading, change, record, tell after commit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from django.db import connection, transaction
from django.db.models import Model, QuerySet

from incidents import authority, clock, lifecycle, policy, prepared
from incidents.evidence import log
from incidents.evidence.signals import entry_recorded
from incidents.models import EvidenceEntry, Incident
from incidents.steps import text
from incidents.terms import Act, Kind, Phase, Role

ALONE: Any = object()
# The proposal whose act is being run: that act's entry names it.
CONFIRMED: ContextVar[int | None] = ContextVar("confirmed proposal", default=None)
Row = TypeVar("Row", bound=Model)
# Prepared, as each start and each end of an action writes it.
_CHANGED = "UPDATE incidents_incident SET change_number = %s, changed_at = %s WHERE id = %s RETURNING id"


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
    _personal: dict[str, str] = field(default_factory=dict)
    _afterwards: list[Callable[[], Any]] = field(default_factory=list)
    _ahead: list[prepared.Statement] = field(default_factory=list)
    place: log.Place | None = None
    beside: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._phase_before = self.incident.phase
        self._change_before = self.incident.change_number

    def refuse_if(self, sentences: Iterable[str]) -> None:
        if found := list(sentences):
            raise Refused(*found)

    def said(self, words: str, ask: str = "Say why.", *, longest: int = text.REASON) -> str:
        """What a person wrote, without outer blanks.

        Args:
            ask: the sentence that asks for it, where nothing was written.
            longest: in characters.
        """
        words = words.strip()
        self.refuse_if(text.said_faults(words, longest=longest) if words else [ask])
        return words

    def refuse_repeat(self, kind: Kind, **facts: Any) -> None:
        """A form sent twice is one act: refuse what the log's last entry says already, by the same person."""
        # By the chain's own key: joined over the incident, PostgreSQL reads each old version of the head's row.
        last = self.incident.chain.entries.latest("seq")
        by_me = last.kind == kind and last.actor.get("id") == str(self.by.public_id)
        if by_me and last.body | facts == last.body:
            raise Refused("This is on record already: you have just sent it.")

    def record(self, kind: Kind, sentence: str, *, personal: dict[str, str] | None = None, **facts: Any) -> None:
        """Say what happened; exactly one entry an act. `sentence` is what people read, `facts` what machines read.

        Args:
            personal: facts about a person, which stand apart and can be erased later.
        """
        if self._entry is not None:
            raise Unrecorded(f"{self.act} recorded twice")
        self._personal = personal or {}
        self._entry = (kind, {"sentence": sentence, "incident": self.incident.reference, **facts})
        self.refuse_if(text.body_faults([self._entry[1], self._personal]))

    def ahead(self, *statements: prepared.Statement) -> None:
        """Send statements to the database together with the entry, just before it."""
        self._ahead.extend(statements)

    def afterwards(self, act: Callable[[], Any]) -> None:
        """Do something in the same transaction, once the entry is written."""
        self._afterwards.append(act)

    def after_commit(self, act: Callable[[], Any]) -> None:
        """Do something that cannot be taken back, once nothing takes the act back."""
        transaction.on_commit(act, robust=True)

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
        moment = connection.ops.adapt_datetimefield_value(self.at)
        self.ahead(prepared.Statement(_CHANGED, [self.incident.change_number, moment, self.incident.pk]))

    @property
    def entry(self) -> EvidenceEntry:
        """What the step wrote, read back; there is none before it ended."""
        assert self.place  # noqa: S101 - asked too early
        return EvidenceEntry.objects.get(pk=self.place.pk)

    def write(self) -> None:
        if self._entry is None:
            raise Unrecorded(f"{self.act} recorded nothing")
        kind, body = self._entry
        body = {**body, "act": str(self.act)}
        if self.incident.phase != self._phase_before:
            body["phase"] = {"old": str(self._phase_before), "new": str(self.incident.phase)}
        if self.incident.change_number != self._change_before:
            body["changed"] = {"number": self.incident.change_number, "at": clock.stamp(self.incident.changed_at)}
        if (confirmed := CONFIRMED.get()) is not None:
            body["proposal"] = confirmed
        actor = log.person(self.by, self.role or "", self.second) if self.by else log.SYSTEM_ACTOR
        self.place = log.append(
            self.incident.chain,
            kind,
            at=self.at,
            actor=actor,
            body=body,
            personal=self._personal,
            ahead=self._ahead,
        )
        for act in self._afterwards:
            act()
        tell(self.incident, kind, body, self.place)


def tell(incident: Incident, kind: Kind, body: dict[str, Any], place: log.Place) -> None:
    """Let the readers know once the transaction is committed. One that fails is logged by `django.dispatch`."""
    told = {"incident_id": incident.pk, "kind": kind, "body": body, "entry_id": place.pk, "seq": place.seq}
    transaction.on_commit(lambda: entry_recorded.send_robust(Incident, **told), robust=True)


def store(row: Row, *names: str) -> Row:
    """Save a new row, or the named fields of a known one, if what they hold can be kept.

    Raises:
        Refused: a sentence for each field that does not fit its column.
    """
    if found := text.row_faults(row, names):
        raise Refused(*found)
    row.save(update_fields=names or None)
    return row


def locked(incident_id: int) -> Incident:
    """The incident's row, locked until commit. Whatever couples two rows of an incident locks this one first."""
    return _lock("product", "runbook", "chain").get(pk=incident_id)


def _lock(*related: str) -> QuerySet[Incident]:
    options = {"no_key": True} if connection.features.has_select_for_no_key_update else {}
    rows = Incident.objects.select_for_update(of=("self",) if options else (), **options)
    return rows.select_related(*related)


_LOCKED_WITH_CHAIN = prepared.Query(lambda incident_id: _lock("chain").filter(pk=incident_id), -1)


@contextmanager
def step(incident: Incident, act: Act, *, by: Any, owner: Role | None = None, second: Any = ALONE) -> Iterator[Taken]:
    """One write: lock the incident, check authority and phase, let the body change and record, then append.

    Args:
        by: the person, or None where the portal acts after a person asked (policy.SYSTEM).
        owner: the role that an owned act belongs to.
        second: the second person who confirmed, given where the act is one that can need one.

    Raises:
        Denied: no role that `by` holds carries the act, or the second person is none.
        Refused: the phase or a blocker forbids it; nothing has changed.
    """
    with transaction.atomic():
        current = locked(incident.pk)
        role = _authority(current, act, by, owner)
        if second is not ALONE:
            _check_second(current, act, by, second)
        if sentence := lifecycle.refusal(act, Phase(current.phase)):
            raise Refused(sentence)
        taken = Taken(current, act, by, role, None if second is ALONE else second, clock.now())
        yield taken
        taken.write()
    incident.refresh_from_db()


@contextmanager
def step_of_portal(incident_id: int, act: Act, *beside: prepared.Statement | prepared.Lookup) -> Iterator[Taken]:
    """The same for what the portal does by itself after a person asked (policy.SYSTEM); it reads no more than it needs.

    Args:
        beside: what else to ask under the lock, on the same way; `taken.beside` has the answers.

    Raises:
        Denied: the act needs a person.
        Refused: the phase forbids it; nothing has changed.
    """
    with transaction.atomic():
        current, *found = prepared.answers(_LOCKED_WITH_CHAIN.at(incident_id), *beside)
        _authority(current, act, None, None)
        if sentence := lifecycle.refusal(act, Phase(current.phase)):
            raise Refused(sentence)
        taken = Taken(current, act, None, None, None, clock.now(), beside=found)
        yield taken
        taken.write()


def _authority(incident: Incident, act: Act, by: Any, owner: Role | None) -> Role | None:
    if by is None:
        if act not in policy.SYSTEM:
            raise Denied(f"{act.label} needs a person.")
        return None
    if act in policy.PERSONAL:
        if not by.is_active:
            raise Denied("This account is switched off.")
        return owner
    role = authority.can(by, act, incident, owner)
    if role is None:
        raise Denied(f"{act.label} is for the {policy.who_may(act, owner)} of this incident.")
    return role


def _check_second(incident: Incident, act: Act, by: Any, second: Any) -> None:
    if second is None:
        if act in policy.FOUR_EYES:
            raise Denied(f"{act.label} needs a second person.")
    elif second.pk == by.pk:
        raise Refused("You proposed this yourself: another person confirms it.")
    elif not authority.held_roles(second, incident) & policy.COUNTER_SIGNERS:
        raise Denied("A second person holds the role of the commander or a lead in this incident.")

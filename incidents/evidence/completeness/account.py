"""What a log says of the rows of one table, and where the rows say something else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Model
from django.utils.text import capfirst

from incidents.models.incident import Incident
from incidents.terms import Kind

Key = str | int
Facts = dict[str, Any]
# A value that the log withholds: it says that there is one, or that it changed.
WITHHELD = ("set", "changed")
# What stands in a row whose personal value was erased.
ERASED = "(erased)"
_LONGEST = 80


@dataclass(frozen=True)
class Gap:
    """One disagreement between the rows and the log, in a sentence. `entry` is the entry concerned, if there is one."""

    model: type[Model]
    sentence: str
    entry: int | None = None

    def __str__(self) -> str:
        return self.sentence


@dataclass(frozen=True)
class Entry:
    """One entry as the rules read it. `incident` is None in the global log.

    `personal` holds what the entry's commitments stand for, None where it was erased.
    """

    seq: int
    at: datetime
    kind: Kind
    actor: dict[str, Any]
    body: dict[str, Any]
    commits: list[dict[str, str]]
    personal: dict[str, str | None]
    incident: Incident | None

    @property
    def by(self) -> str | None:
        return self.actor.get("id")

    @property
    def second(self) -> str | None:
        return self.actor.get("second")

    def fact(self, name: str, missing: Any = None) -> Any:
        """A fact of the body, or one that stands apart; what its row shows where that was erased.

        Raises:
            KeyError: the entry has no such fact, and `missing` is None.
        """
        if name in self.personal:
            return ERASED if self.personal[name] is None else self.personal[name]
        return self.body[name] if missing is None else self.body.get(name, missing)


@dataclass
class Said:
    """What the log says of one row: each fact with the entry that said it last, and the last entry at all."""

    last: int
    facts: dict[str, tuple[Any, int]] = field(default_factory=dict)
    is_gone: bool = False


class Account:
    """What the entries say of the rows of one table, read in their order."""

    def __init__(self) -> None:
        self.rows: dict[Key, Said] = {}
        self.seq = 0

    def __contains__(self, key: Key) -> bool:
        return key in self.rows

    def says(self, key: Key, /, **facts: Any) -> None:
        """The entry explains this row, and these facts of it."""
        said = self.rows.setdefault(key, Said(self.seq))
        said.last, said.is_gone = self.seq, False
        said.facts |= {name: (value, self.seq) for name, value in facts.items()}

    def ends(self, key: Key) -> None:
        """The entry says that this row went."""
        self.says(key)
        self.rows[key].is_gone = True

    def with_fact(self, name: str, value: Any) -> list[Key]:
        return [key for key, said in self.rows.items() if said.facts.get(name, (None,))[0] == value]


Handler = Callable[[Account, Entry], None]


def spoken(row: Any) -> str:
    return f"{capfirst(str(row._meta.verbose_name))} “{row}”"


@dataclass(frozen=True)
class Rule:
    """How the rows of one table stand in the log.

    Attributes:
        noun: what one row is called where it is gone: “exception” makes “exception 3”.
        rows: the rows to explain, of an incident or of the installation.
        key: by what the entries name a row.
        facts: what the entries may say of a row, from the row.
        says: which kinds of entries explain which rows and facts.
        always: what every entry may say.
    """

    model: type[Model]
    noun: str
    rows: Callable[[Any], Iterable[Any]]
    key: Callable[[Any], Key]
    facts: Callable[[Any], Facts]
    says: Mapping[Kind, Handler]
    always: Handler | None = None
    named: Callable[[Any], str] = spoken

    def read(self, account: Account, entry: Entry) -> Gap | None:
        """Take in an entry. A gap where it lacks what would explain a row."""
        account.seq = entry.seq
        try:
            for handler in filter(None, (self.says.get(entry.kind), self.always)):
                handler(account, entry)
        except (KeyError, TypeError, ValueError) as error:
            sentence = f"Entry {entry.seq} does not say which {self.noun} it is about: {error!s} is missing or wrong."
            return Gap(self.model, sentence, entry.seq)
        return None

    def gaps(self, account: Account, scope: Incident | None) -> Iterator[Gap]:
        """Rows that no entry explains, rows that say something else, and entries whose row is gone."""
        present = set()
        for row in self.rows(scope):
            try:
                present.add(self.key(row))
                found = list(self._differences(row, account.rows.get(self.key(row))))
            except ObjectDoesNotExist as error:
                found = [Gap(self.model, f"{capfirst(self.noun)} {row.pk} points to a row that is gone: {error}")]
            yield from found
        for key, said in account.rows.items():
            if key not in present and not said.is_gone:
                yield Gap(self.model, f"Entry {said.last} speaks of {self.noun} {key}, which is gone.", said.last)

    def _differences(self, row: Any, said: Said | None) -> Iterator[Gap]:
        name = self.named(row)
        if said is None:
            yield Gap(self.model, f"{name} stands in no entry.")
        elif said.is_gone:
            yield Gap(self.model, f"{name} is there, but entry {said.last} says that it went.", said.last)
        else:
            facts = self.facts(row)
            for fact, (value, seq) in said.facts.items():
                if fact not in facts:
                    continue
                for sentence in _difference(f"{name}: {fact.replace('_', ' ')}", facts[fact], value, seq):
                    yield Gap(self.model, sentence, seq)


def _difference(what: str, found: Any, told: Any, seq: int) -> Iterator[str]:
    if isinstance(found, list) and isinstance(told, list) and any(isinstance(one, dict) for one in found + told):
        yield from (f"{what} has {_shown(one)}, which stands in no entry." for one in found if one not in told)
        yield from (f"{what} has no {_shown(one)} any more, which entry {seq} has." for one in told if one not in found)
    elif found != told and told not in WITHHELD:
        yield f"{what} is {_shown(found)}, but entry {seq} says {_shown(told)}."


def _shown(value: Any) -> str:
    if value is None or value == "":
        return "empty"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        text = ", ".join(f"{name} {value[name]}" for name in sorted(value))
    else:
        text = json.dumps(value, ensure_ascii=False) if isinstance(value, list) else str(value)
    return f"“{text if len(text) <= _LONGEST else text[: _LONGEST - 1] + '…'}”"

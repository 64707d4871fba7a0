"""What one check is decided on, read by one statement; and the whole state of a freeze, read by another."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from incidents.freeze_check import sql
from incidents.freeze_check.rule import Facts, Question
from incidents.runbook import Runbook, parse
from incidents.terms import Level, Measure, Role

Row = dict[str, Any]

# Versions never change in place, so a process keeps them by hash and asks only for the text of one it does not know.
_books: dict[str, Runbook] = {}
_newest = ""


@dataclass(frozen=True)
class Token:
    """What belongs to the digest that was presented."""

    expires_at: datetime
    revoked_at: datetime | None
    scopes: tuple[str, ...]
    is_active: bool

    def is_live(self, at: datetime) -> bool:
        return self.is_active and self.revoked_at is None and self.expires_at > at


@dataclass(frozen=True)
class Reading:
    """All that one check needs. An environment is unknown where the product has some, and none of this name."""

    token: Token
    product_known: bool
    environment_known: bool
    facts: Facts | None


@dataclass(frozen=True)
class Held:
    """One measure, for one environment or for the product."""

    measure: Measure
    environment: str | None
    in_force: bool
    since: datetime | None


@dataclass(frozen=True)
class State:
    """Everything a freeze stops now. `facts` is None, and nothing is in force, where no freeze is active."""

    token: Token
    product_known: bool
    facts: Facts | None
    environments: tuple[str, ...]
    held: tuple[Held, ...]
    exceptions: int


def read(digest: str, product: str, question: Question) -> Reading | None:
    """What the database says to this question, None where no token has this digest.

    Raises:
        django.db.Error: the database does not answer; whoever asked takes that for a no.
    """
    asked = {
        "digest": digest,
        "product": product,
        "environment": question.environment,
        "measure": question.operation.measure.value,
        "subject": question.subject,
        "actor": question.actor.lower(),
        "known": _newest,
    }
    rows = sql.run(sql.check(question.operation), asked)
    if not rows:
        return None
    row = rows[0]
    known = not question.environment or row["environment_id"] is not None or row["environments"] == 0
    return Reading(_token(row), row["product_id"] is not None, known, _facts(rows, question))


def _facts(rows: list[Row], question: Question) -> Facts | None:
    row = rows[0]
    if row["reference"] is None:
        return None
    book = _book(row)
    measure = book.measures[question.operation.measure]
    until, exception = _lasting_longest(rows)
    return Facts(
        incident=row["reference"],
        level=Level(row["scope_level"]),
        level_name=book.levels[Level(row["scope_level"])].name,
        commander=" ".join((row["commander"] or "").split()),
        drill=bool(row["drill"]),
        held_since=_held_since(rows),
        allowed_labels=frozenset(measure.allowed_labels),
        allowed_roles=frozenset(measure.allowed_roles),
        actor_roles=frozenset(Role(name) for name in (row["actor_roles"] or "").split(",") if name),
        exception=exception,
        exception_until=until,
    )


def _held_since(rows: list[Row]) -> datetime | None:
    """Since when the measure holds. A measure or environment the freeze has no row for holds like the freeze itself."""
    if all(row["in_force"] is None for row in rows):
        return _moment(rows[0]["frozen_since"])
    return max((_sure(row["since"]) for row in rows if row["in_force"]), default=None)


def _lasting_longest(rows: list[Row]) -> tuple[datetime | None, int | None]:
    """The exception of the subject that ends last, if there is one."""
    found = [(_sure(row["exception_until"]), row["exception_id"]) for row in rows if row["exception_id"] is not None]
    return max(found, default=(None, None))


def read_state(digest: str, product: str, at: datetime) -> State | None:
    """The whole state of a product's freeze, None where no token has this digest.

    Raises:
        django.db.Error: the database does not answer.
    """
    now = connection.ops.adapt_datetimefield_value(at)
    rows = sql.run(sql.STATE, {"digest": digest, "product": product, "known": _newest, "at": now})
    if not rows:
        return None
    row = rows[0]
    facts = _state_facts(row) if row["reference"] is not None else None
    environments = tuple(dict.fromkeys(row["environment"] for row in rows if row["environment"] is not None))
    return State(_token(row), row["product_id"] is not None, facts, environments, tuple(_held(rows)), row["exceptions"])


def _state_facts(row: Row) -> Facts:
    level = Level(row["scope_level"])
    return Facts(
        incident=row["reference"],
        level=level,
        level_name=_book(row).levels[level].name,
        commander=" ".join((row["commander"] or "").split()),
        drill=bool(row["drill"]),
        held_since=_moment(row["frozen_since"]),
    )


def _held(rows: Iterable[Row]) -> Iterable[Held]:
    """A measure of the whole product comes once for every environment; it is told once."""
    per_product = (Measure.MERGES, Measure.CLAIMS)
    found: dict[tuple[str, str | None], Held] = {}
    for row in rows:
        if row["measure"] is not None:
            measure = Measure(row["measure"])
            environment = None if measure in per_product else row["environment"]
            found[measure, environment] = Held(measure, environment, bool(row["in_force"]), _moment(row["since"]))
    return found.values()


def _token(row: Row) -> Token:
    scopes = json.loads(row["scopes"]) if isinstance(row["scopes"], str) else row["scopes"]
    return Token(
        _sure(row["token_expires_at"]), _moment(row["token_revoked_at"]), tuple(scopes), bool(row["is_active"])
    )


def _book(row: Row) -> Runbook:
    global _newest
    sha256 = row["runbook_sha256"]
    if sha256 not in _books:
        _books[sha256] = parse(row["source"])
    _newest = sha256
    return _books[sha256]


def _moment(value: datetime | str | None) -> datetime | None:
    """A time as the driver gave it: aware from PostgreSQL, naive or text, in UTC, from SQLite."""
    if value is None:
        return None
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _sure(value: datetime | str) -> datetime:
    found = _moment(value)
    assert found  # noqa: S101 - the columns are NOT NULL
    return found

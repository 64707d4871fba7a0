"""Rows of many tables in one statement.

A war room shows some twenty tables of one incident. Read one after the other they are twenty round trips at every look.
Here each row travels as a JSON array of its columns through one UNION ALL and becomes a model instance again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, models
from django.db.models import QuerySet, Value
from django.db.models.functions import JSONArray

Decode = Callable[[Any], Any]
Arm = tuple[QuerySet[Any], Sequence[Any]]


def gather(arms: Sequence[Arm]) -> list[list[list[Any]]]:
    """Run all arms as one statement.

    Args:
        arms: each a queryset and the expressions to read from it.

    Returns:
        For each arm its rows, each a list of plain JSON values, in no particular order.
    """
    found: list[list[list[Any]]] = [[] for _ in arms]
    first, *others = [_statement(number, *arm) for number, arm in enumerate(arms)]
    for number, values in first.union(*others, all=True):
        found[number].append(values)
    return found


def _statement(number: int, rows: QuerySet[Any], columns: Sequence[Any]) -> Any:
    numbered = rows.order_by().annotate(arm_=Value(number), columns_=JSONArray(*columns))
    return numbered.values_list("arm_", "columns_")


def read(querysets: Sequence[QuerySet[Any]], *, leave_out: Collection[str] = ()) -> list[list[Any]]:
    """Read the instances of several querysets in one statement, each list in its model's own order.

    Args:
        leave_out: names of columns that stay unread, on whichever model has them; binary columns always do.
    """
    unread = frozenset(leave_out)
    models_read: list[Any] = [rows.model for rows in querysets]
    plans = [_plan(model, unread) for model in models_read]
    gathered = gather([(rows, names) for rows, (names, _) in zip(querysets, plans, strict=True)])
    return [
        _ordered(rows.model, [_instance(rows.model, plan, values) for values in found])
        for rows, plan, found in zip(querysets, plans, gathered, strict=True)
    ]


def _instance(model: type[models.Model], plan: tuple[list[str], list[Decode]], values: list[Any]) -> Any:
    names, decoders = plan
    decoded = [value if value is None else decode(value) for decode, value in zip(decoders, values, strict=True)]
    return model.from_db(DEFAULT_DB_ALIAS, names, decoded)


def _ordered(model: type[models.Model], found: list[Any]) -> list[Any]:
    found.sort(key=attrgetter("pk"))
    for name in reversed([str(name) for name in model._meta.ordering or ()]):
        found.sort(key=attrgetter(name.lstrip("-")), reverse=name.startswith("-"))
    return found


@lru_cache(maxsize=256)
def _plan(model: Any, leave_out: frozenset[str]) -> tuple[list[str], list[Decode]]:
    kept = [
        field
        for field in model._meta.concrete_fields
        if field.attname not in leave_out and not isinstance(field, models.BinaryField)
    ]
    return [field.attname for field in kept], [_decoder(field) for field in kept]


# What JSON cannot say by itself: SQLite writes a truth as 0 or 1 and a JSON column as text, both write moments as text.
def _decoder(field: Any) -> Decode:
    target = field.target_field if field.remote_field else field
    target = target.output_field if target.generated else target
    for kind, decode in _DECODERS:
        if isinstance(target, kind):
            return decode
    return _same


def moment(value: str) -> datetime:
    """A moment as the engines write it into JSON; SQLite leaves out that it is UTC."""
    found = datetime.fromisoformat(value)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _same(value: Any) -> Any:
    return value


_DECODERS: tuple[tuple[type[models.Field], Decode], ...] = (
    (models.DateTimeField, moment),
    (models.DateField, date.fromisoformat),
    (models.UUIDField, UUID),
    (models.BooleanField, bool),
    (models.JSONField, lambda value: json.loads(value) if isinstance(value, str) else value),
)

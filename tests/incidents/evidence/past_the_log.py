"""What somebody with the database's password could do past every step: rows put in, changed or taken out by SQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction
from django.db.models import Model

from incidents.evidence import triggers


@contextmanager
def undone() -> Iterator[None]:
    """Drop the triggers for a while; what was done meanwhile is taken back, and they are there again."""
    with transaction.atomic():
        triggers.drop(connection)
        yield
        transaction.set_rollback(True)


def insert(row: Model, **changed: Any) -> None:
    """Put in a copy of a row, some of its columns changed. A number as key is given by the database."""
    fields = [field for field in row._meta.concrete_fields if not field.generated]
    columns = {field.column: field for field in fields if not field.primary_key or field.column in changed}
    values = [field.get_db_prep_save(changed[name], connection) for name, field in columns.items() if name in changed]
    listed = ", ".join("%s" if name in changed else _quoted(name) for name in columns)
    into = f"{_table(row)} ({', '.join(map(_quoted, columns))})"
    _execute(f"INSERT INTO {into} SELECT {listed} FROM {_table(row)} {_is(row)}", [*values, _key(row)])


def change(row: Model, column: str, value: Any) -> None:
    field = next(field for field in row._meta.concrete_fields if field.column == column)
    prepared = field.get_db_prep_save(value, connection)
    _execute(f"UPDATE {_table(row)} SET {_quoted(column)} = %s {_is(row)}", [prepared, _key(row)])


def delete(row: Model) -> None:
    _execute(f"DELETE FROM {_table(row)} {_is(row)}", [_key(row)])


def _table(row: Model) -> str:
    return _quoted(row._meta.db_table)


def _is(row: Model) -> str:
    assert row._meta.pk
    return f"WHERE {_quoted(row._meta.pk.column)} = %s"


def _key(row: Model) -> Any:
    assert row._meta.pk
    return row._meta.pk.get_db_prep_save(row.pk, connection)


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)


def _execute(statement: str, values: list[Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        assert cursor.rowcount == 1

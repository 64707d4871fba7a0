"""Statements that PostgreSQL plans once a connection, for the few that run so often that planning them shows.

Set OPTIONS["prepare_threshold"] to None where a connection pooler cannot carry prepared statements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from django.db import DEFAULT_DB_ALIAS, InterfaceError, InternalError, OperationalError, connections
from django.db.models import QuerySet
from django.db.models.query import get_related_populators

_PREPARE_AFTER = 1
# The database is away, does not let us have a row, or has ended a session that stood still.
GONE = (OperationalError, InterfaceError, InternalError)


def cursor() -> Any:
    """A cursor that binds on the server, which Django's own does not, so that the plan is kept; else a plain one."""
    database: Any = connections[DEFAULT_DB_ALIAS]
    if database.vendor != "postgresql":
        return database.cursor()
    from django.db.backends.postgresql.base import ServerBindingCursor

    database.close_if_health_check_failed()
    database.ensure_connection()
    raw: Any = database.connection
    if "prepare_threshold" not in database.settings_dict["OPTIONS"]:
        raw.prepare_threshold = _PREPARE_AFTER
    with database.wrap_database_errors:
        found: Any = ServerBindingCursor(raw)  # type: ignore[call-arg]
    return database.make_debug_cursor(found) if database.queries_logged else database.make_cursor(found)


class Statement(NamedTuple):
    """A statement that returns one row, and what is raised when it returns none; None: then None is the answer."""

    sql: str
    params: Any
    otherwise: Callable[[], Exception] | None = None

    def ask(self, found: Any) -> None:
        found.execute(self.sql, self.params)

    def answer(self, found: Any) -> Any:
        row = found.fetchone()
        if row is None and self.otherwise:
            raise self.otherwise()
        return row


class Query:
    """A query of the ORM for one row, built once a connection: building it costs more than running it."""

    def __init__(self, rows: Callable[[Any], QuerySet[Any]], key: Any) -> None:
        """Nothing is built yet.

        Args:
            rows: makes the query, given the row's key.
            key: one that no row and no other part of the query has; it keeps the place of the real ones.
        """
        self._rows, self._key = rows, key
        self._built: WeakKeyDictionary[Any, _Built] = WeakKeyDictionary()

    def at(self, key: Any) -> Lookup:
        """The query with a key, to be asked together with others."""
        return Lookup(self, key)

    def get(self, key: Any) -> Any:
        """The row, with what the query reads along.

        Raises:
            ObjectDoesNotExist: there is none.
        """
        [row] = answers(self.at(key))
        return row

    def built(self) -> _Built:
        """As this connection's compiler made it."""
        line: Any = connections[DEFAULT_DB_ALIAS]
        if line not in self._built:
            self._built[line] = _Built(self._rows(self._key), self._key, line)
        return self._built[line]


class Lookup(NamedTuple):
    """A query and the key it is asked with; where no row has it, `ObjectDoesNotExist` is raised."""

    query: Query
    key: Any

    def ask(self, found: Any) -> None:
        self.query.built().ask(self.key, found)

    def answer(self, found: Any) -> Any:
        return self.query.built().answer(found)


def answers(*asked: Statement | Lookup) -> list[Any]:
    """The row of each; one round trip in all. Each sees what the one before it waited for.

    Outside a transaction they are one of their own on PostgreSQL, and each its own on SQLite.

    Raises:
        ObjectDoesNotExist: there is no row to look up.
    """
    with ExitStack() as cursors:
        with _one_trip():
            found = [cursors.enter_context(cursor()) for _ in asked]
            for each, answer in zip(asked, found, strict=True):
                each.ask(answer)
        return [each.answer(answer) for each, answer in zip(asked, found, strict=True)]


@contextmanager
def _one_trip() -> Iterator[None]:
    """On PostgreSQL, send what is asked in here without waiting for the answers in between, `BEGIN` included."""
    database: Any = connections[DEFAULT_DB_ALIAS]
    if database.vendor != "postgresql":
        yield
        return
    database.close_if_health_check_failed()
    database.ensure_connection()
    with database.wrap_database_errors, database.connection.pipeline():
        yield


class _Built:
    """One query as a connection's compiler made it."""

    def __init__(self, rows: QuerySet[Any], key: Any, line: Any) -> None:
        self._model, self._line = rows.model, line
        self._key = self._bound(key)
        self._compiler = rows.query.get_compiler(connection=line)
        self._sql, self._params = self._compiler.as_sql()
        info, select = self._compiler.klass_info, self._compiler.select
        columns = info["select_fields"]
        self._own = slice(columns[0], columns[-1] + 1)
        self._names = [column.target.attname for column, _, _ in select[self._own]]
        self._related = get_related_populators(info, select, line.alias)  # type: ignore[call-arg]
        self._also = self._compiler.annotation_col_map or {}
        self._converters = self._compiler.get_converters([column for column, _, _ in select])

    def _bound(self, key: Any) -> Any:
        return self._model._meta.pk.get_db_prep_value(key, self._line)

    def ask(self, key: Any, found: Any) -> None:
        found.execute(self._sql, [self._bound(key) if param == self._key else param for param in self._params])

    def answer(self, found: Any) -> Any:
        for row in self._compiler.apply_converters(found.fetchall(), self._converters):
            one = self._model.from_db(self._line.alias, self._names, row[self._own])
            for populator in self._related:
                populator.populate(row, one)
            for name, position in self._also.items():
                setattr(one, name, row[position])
            return one
        raise self._model.DoesNotExist

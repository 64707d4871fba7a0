"""Statements that PostgreSQL plans once a connection, for the few that run so often that planning them shows.

Set OPTIONS["prepare_threshold"] to None where a connection pooler cannot carry prepared statements.
"""

from __future__ import annotations

from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections

_PREPARE_AFTER = 1


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

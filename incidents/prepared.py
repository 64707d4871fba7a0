"""Statements that PostgreSQL plans once a connection, for the few that run so often that planning them shows.

Set OPTIONS["prepare_threshold"] to None where a connection pooler cannot carry prepared statements.
"""

from __future__ import annotations

from typing import Any

from django.db import connection

_PREPARE_AFTER = 1


def cursor() -> Any:
    """A cursor that binds on the server, which Django's own does not, so that the plan is kept; else a plain one."""
    if connection.vendor != "postgresql":
        return connection.cursor()
    from django.db.backends.postgresql.base import ServerBindingCursor

    connection.close_if_health_check_failed()
    connection.ensure_connection()
    raw: Any = connection.connection
    if "prepare_threshold" not in connection.settings_dict["OPTIONS"]:
        raw.prepare_threshold = _PREPARE_AFTER
    with connection.wrap_database_errors:
        found: Any = ServerBindingCursor(raw)  # type: ignore[call-arg]
    return connection.make_debug_cursor(found) if connection.queries_logged else connection.make_cursor(found)

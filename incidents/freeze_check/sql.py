"""The statements of the freeze gate, and how they reach the database.

Raw SQL on purpose: building this query with the ORM costs more than running it (research: performance, 2.1). On
PostgreSQL it is prepared once a connection, because planning ten joins costs more than reading ten rows; set
OPTIONS["prepare_threshold"] to None where a connection pooler cannot carry prepared statements.
"""

from __future__ import annotations

from typing import Any

from django.db import connection

_PREPARE_AFTER = 1

_HEAD = """
SELECT t.expires_at AS token_expires_at, t.revoked_at AS token_revoked_at, t.scopes, u.is_active,
  p.id AS product_id, i.reference, i.scope_level, i.drill, f.since AS frozen_since, c.name AS commander,
  r.sha256, CASE WHEN r.sha256 = %(known)s THEN '' ELSE r.source END AS source"""

_FREEZE = """
FROM accounts_apitoken t
JOIN accounts_user u ON u.id = t.user_id
LEFT JOIN incidents_product p ON p.slug = %(product)s AND (t.product_id IS NULL OR t.product_id = p.id)
LEFT JOIN incidents_freeze f ON f.product_id = p.id AND f.active
LEFT JOIN incidents_incident i ON i.id = f.incident_id
LEFT JOIN incidents_runbookversion r ON r.id = i.runbook_id
LEFT JOIN incidents_membership cm ON cm.incident_id = i.id AND cm.role = 'commander' AND cm.ended_at IS NULL
LEFT JOIN accounts_user c ON c.id = cm.user_id"""

# A row for each measure the question touches and each role the actor holds: seldom more than one.
CHECK = f"""{_HEAD},
  e.id AS environment_id, (SELECT count(*) FROM incidents_environment n WHERE n.product_id = p.id) AS environments,
  m.in_force, m.since, x.id AS exception_id, x.expires_at AS exception_until,
  CASE WHEN hu.id IS NULL THEN NULL ELSE h.role END AS actor_role
{_FREEZE}
LEFT JOIN incidents_environment e ON e.product_id = p.id AND e.name = %(environment)s
LEFT JOIN incidents_freezemeasure m ON m.freeze_id = f.id AND m.measure = %(measure)s
  AND (e.id IS NULL OR m.environment_id IS NULL OR m.environment_id = e.id)
LEFT JOIN incidents_freezeexception x ON x.id = (
  SELECT y.id FROM incidents_freezeexception y
  WHERE y.freeze_id = f.id AND y.measure = %(measure)s AND y.subject = %(subject)s AND y.revoked_at IS NULL
    AND (y.environment_id IS NULL OR y.environment_id = e.id)
  ORDER BY y.expires_at DESC, y.id DESC LIMIT 1)
LEFT JOIN incidents_membership h ON h.incident_id = i.id AND h.ended_at IS NULL AND h.accepted_at IS NOT NULL
  AND %(actor)s <> ''
LEFT JOIN accounts_user hu ON hu.id = h.user_id AND hu.is_active AND lower(hu.email) = %(actor)s
WHERE t.digest = %(digest)s"""  # noqa: S608 - made of constants

# A row for each environment of the product and each measure of its freeze.
STATE = f"""{_HEAD},
  (SELECT count(*) FROM incidents_freezeexception x
   WHERE x.freeze_id = f.id AND x.revoked_at IS NULL AND x.expires_at > %(at)s) AS exceptions,
  e.name AS environment, m.measure, m.in_force, m.since
{_FREEZE}
LEFT JOIN incidents_environment e ON e.product_id = p.id
LEFT JOIN incidents_freezemeasure m ON m.freeze_id = f.id AND (m.environment_id IS NULL OR m.environment_id = e.id)
WHERE t.digest = %(digest)s
ORDER BY e.position, m.id"""  # noqa: S608 - made of constants


def run(statement: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows by column name.

    Raises:
        django.db.Error: the database does not answer.
    """
    with _cursor() as cursor:
        cursor.execute(statement, parameters)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _cursor() -> Any:
    return _preparing_cursor() if connection.vendor == "postgresql" else connection.cursor()


def _preparing_cursor() -> Any:
    """A cursor that binds on the server, which Django's own does not, so that the plan is kept."""
    from django.db.backends.postgresql.base import ServerBindingCursor

    connection.close_if_health_check_failed()
    connection.ensure_connection()
    raw: Any = connection.connection
    if "prepare_threshold" not in connection.settings_dict["OPTIONS"]:
        raw.prepare_threshold = _PREPARE_AFTER
    with connection.wrap_database_errors:
        cursor: Any = ServerBindingCursor(raw)  # type: ignore[call-arg]
    return connection.make_debug_cursor(cursor) if connection.queries_logged else connection.make_cursor(cursor)

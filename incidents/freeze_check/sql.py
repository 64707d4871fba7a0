"""The statements of the freeze gate, and how they reach the database.

Raw SQL on purpose: building this query with the ORM costs more than running it (research: performance, 2.1). On
PostgreSQL it is prepared once a connection, because planning ten joins costs more than reading ten rows.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from django.db import connection

from incidents import prepared
from incidents.freeze_check.rule import Operation

_columns: dict[str, tuple[str, ...]] = {}

# The text of the runbook comes along only where the process does not know it by its hash.
_HEAD = """
SELECT t.expires_at AS token_expires_at, t.revoked_at AS token_revoked_at, t.scopes, u.is_active,
  p.id AS product_id, i.reference, i.scope_level, i.drill, f.since AS frozen_since, i.runbook_sha256,
  CASE WHEN i.runbook_sha256 <> %(known)s
    THEN (SELECT r.source FROM incidents_runbookversion r WHERE r.id = i.runbook_id) END AS source,
  (SELECT c.name FROM incidents_membership cm JOIN accounts_user c ON c.id = cm.user_id
   WHERE cm.incident_id = i.id AND cm.role = 'commander' AND cm.ended_at IS NULL) AS commander"""

_FREEZE = """
FROM accounts_apitoken t
JOIN accounts_user u ON u.id = t.user_id
LEFT JOIN incidents_product p ON p.slug = %(product)s AND (t.product_id IS NULL OR t.product_id = p.id)
LEFT JOIN incidents_freeze f ON f.product_id = p.id AND f.active
LEFT JOIN incidents_incident i ON i.id = f.incident_id"""

# A row for each measure the question touches and each exception of its subject: one, nearly always.
_CHECK = """{head},
  {environment} AS environment_id, {environments} AS environments, {roles} AS actor_roles,
  m.in_force, m.since, x.id AS exception_id, x.expires_at AS exception_until
{freeze}
{join}
LEFT JOIN incidents_freezemeasure m ON m.freeze_id = f.id AND m.measure = %(measure)s {here_m}
LEFT JOIN incidents_freezeexception x ON x.freeze_id = f.id AND x.measure = %(measure)s
  AND x.subject = %(subject)s AND x.revoked_at IS NULL {here_x}
WHERE t.digest = %(digest)s"""

_ROLES = """(
  SELECT {collected} FROM incidents_membership h JOIN accounts_user hu ON hu.id = h.user_id
  WHERE h.incident_id = i.id AND h.ended_at IS NULL AND h.accepted_at IS NOT NULL
    AND hu.is_active AND lower(hu.email) = %(actor)s)"""


def check(operation: Operation) -> str:
    """The statement for one operation; what its rule does not ask for is not read."""
    return _check(operation in (Operation.PROMOTE, Operation.DEPLOY), operation == Operation.DEPLOY, connection.vendor)


@cache
def _check(with_environment: bool, with_roles: bool, vendor: str) -> str:
    collected = "string_agg(h.role, ',')" if vendor == "postgresql" else "group_concat(h.role, ',')"
    shared = {"head": _HEAD, "freeze": _FREEZE, "roles": _ROLES.format(collected=collected) if with_roles else "NULL"}
    if not with_environment:
        nowhere = {"environment": "NULL", "environments": "0", "join": "", "here_m": "", "here_x": ""}
        return _CHECK.format(**shared, **nowhere)
    return _CHECK.format(
        **shared,
        environment="e.id",
        environments="(SELECT count(*) FROM incidents_environment n WHERE n.product_id = p.id)",
        join="LEFT JOIN incidents_environment e ON e.product_id = p.id AND e.name = %(environment)s",
        here_m="AND (e.id IS NULL OR m.environment_id IS NULL OR m.environment_id = e.id)",
        here_x="AND (x.environment_id IS NULL OR x.environment_id = e.id)",
    )


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
    with prepared.cursor() as cursor:
        cursor.execute(statement, parameters)
        if statement not in _columns:
            _columns[statement] = tuple(column[0] for column in cursor.description)
        return [dict(zip(_columns[statement], row, strict=True)) for row in cursor.fetchall()]

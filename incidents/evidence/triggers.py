"""Database triggers that keep the evidence table append-only, on both engines.

Django's table rebuilds on SQLite drop triggers silently, so they are made again after every migrate and probed by a
system check and `/readyz`. On PostgreSQL the table's owner can still switch them off: docs/operations.md has the
least-privilege role, and checkpoints outside the database are the answer to a superuser.
"""

from __future__ import annotations

from typing import Any

from django.db import connections

TABLE = "incidents_evidenceentry"
ZERO = "0" * 64

_POSTGRESQL = f"""
CREATE OR REPLACE FUNCTION evidence_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'evidence is append-only (%)', tg_op USING errcode = 'restrict_violation'; END $$;
CREATE OR REPLACE FUNCTION evidence_link() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE before text;
BEGIN
  IF new.seq = 1 THEN
    IF new.prev <> '{ZERO}' THEN
      RAISE EXCEPTION 'evidence begins at zero' USING errcode = 'restrict_violation';
    END IF;
    RETURN new;
  END IF;
  SELECT hash INTO before FROM {TABLE} WHERE chain_id = new.chain_id AND seq = new.seq - 1;
  IF before IS NULL OR before <> new.prev THEN
    RAISE EXCEPTION 'evidence link broken at %', new.seq USING errcode = 'restrict_violation';
  END IF;
  RETURN new;
END $$;
CREATE OR REPLACE TRIGGER evidence_no_change BEFORE UPDATE OR DELETE ON {TABLE}
  FOR EACH ROW EXECUTE FUNCTION evidence_refuse();
CREATE OR REPLACE TRIGGER evidence_no_truncate BEFORE TRUNCATE ON {TABLE}
  FOR EACH STATEMENT EXECUTE FUNCTION evidence_refuse();
CREATE OR REPLACE TRIGGER evidence_in_order BEFORE INSERT ON {TABLE}
  FOR EACH ROW EXECUTE FUNCTION evidence_link();
"""

_SQLITE = {
    "evidence_no_update": f"BEFORE UPDATE ON {TABLE} BEGIN SELECT raise(abort, 'evidence is append-only'); END",
    "evidence_no_delete": f"BEFORE DELETE ON {TABLE} BEGIN SELECT raise(abort, 'evidence is append-only'); END",
    "evidence_in_order": f"""BEFORE INSERT ON {TABLE}
      WHEN (new.seq = 1 AND new.prev <> '{ZERO}') OR (new.seq <> 1 AND NOT EXISTS (
        SELECT 1 FROM {TABLE} e WHERE e.chain_id = new.chain_id AND e.seq = new.seq - 1 AND e.hash = new.prev))
      BEGIN SELECT raise(abort, 'evidence link broken'); END""",
    # INSERT OR REPLACE deletes without firing a DELETE trigger.
    "evidence_no_replace": f"""BEFORE INSERT ON {TABLE}
      WHEN EXISTS (SELECT 1 FROM {TABLE} e WHERE e.id = new.id OR e.hash = new.hash
        OR (e.chain_id = new.chain_id AND (e.seq = new.seq OR e.prev = new.prev)))
      BEGIN SELECT raise(abort, 'evidence is append-only (replace)'); END""",
}
_POSTGRESQL_NAMES = frozenset({"evidence_no_change", "evidence_no_truncate", "evidence_in_order"})


def install(connection: Any) -> None:
    """Make the triggers, or make them again."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_POSTGRESQL)
            return
        for name, body in _SQLITE.items():
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}")
            cursor.execute(f"CREATE TRIGGER {name} {body}")


def drop(connection: Any) -> None:
    """Remove the triggers. Only a test's teardown has a reason to."""
    with connection.cursor() as cursor:
        for name in _POSTGRESQL_NAMES if connection.vendor == "postgresql" else _SQLITE:
            on_table = f" ON {TABLE}" if connection.vendor == "postgresql" else ""
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}{on_table}")


def missing(connection: Any) -> list[str]:
    """Names of triggers that should be there, are enabled, and are not."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            wanted = _POSTGRESQL_NAMES
            cursor.execute(
                "SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND tgenabled IN ('O', 'A')", [TABLE]
            )
        else:
            wanted = frozenset(_SQLITE)
            cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s", [TABLE])
        return sorted(wanted - {name for (name,) in cursor.fetchall()})


def after_migrate(using: str, **_: Any) -> None:
    connection = connections[using]
    if TABLE in connection.introspection.table_names():
        install(connection)

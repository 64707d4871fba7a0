"""Database triggers that keep the evidence append-only, on both engines.

Django's table rebuilds on SQLite drop triggers silently, so they are made again after every migrate and probed by a
system check and `/readyz`. On PostgreSQL the table's owner can still switch them off: docs/operations.md has the
least-privilege role, and checkpoints outside the database are the answer to a superuser.
"""

from __future__ import annotations

from typing import Any

from django.db import connections

TABLE = "incidents_evidenceentry"
CHECKPOINTS = "incidents_checkpoint"
PRIVATE = "incidents_privatevalue"
ZERO = "0" * 64
# What people read of an entry; the database makes these columns of the hashed text.
GENERATED = frozenset({"kind", "actor", "body"})

_POSTGRESQL = f"""
CREATE OR REPLACE FUNCTION evidence_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'evidence is append-only (%)', tg_op USING errcode = 'restrict_violation'; END $$;
CREATE OR REPLACE FUNCTION evidence_link() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE before record;
BEGIN
  IF new.seq = 1 THEN
    IF new.prev <> '{ZERO}' THEN
      RAISE EXCEPTION 'evidence begins at zero' USING errcode = 'restrict_violation';
    END IF;
    RETURN new;
  END IF;
  -- By the unique hash: a plan made while the table was empty stays right when it is not.
  SELECT chain_id, seq INTO before FROM {TABLE} WHERE hash = new.prev;
  IF NOT FOUND OR before.chain_id <> new.chain_id OR before.seq <> new.seq - 1 THEN
    RAISE EXCEPTION 'evidence link broken at %', new.seq USING errcode = 'restrict_violation';
  END IF;
  RETURN new;
END $$;
CREATE OR REPLACE FUNCTION evidence_erase() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM {TABLE} e WHERE e.chain_id = old.chain_id AND e.kind = 'privacy.erased'
      AND (e.body ->> 'entry')::bigint = old.seq AND e.body ->> 'path' = old.path) THEN
    RAISE EXCEPTION 'a personal value is erased by an entry that says so' USING errcode = 'restrict_violation';
  END IF;
  RETURN old;
END $$;
CREATE OR REPLACE TRIGGER evidence_no_change BEFORE UPDATE OR DELETE ON {TABLE}
  FOR EACH ROW EXECUTE FUNCTION evidence_refuse();
CREATE OR REPLACE TRIGGER evidence_no_truncate BEFORE TRUNCATE ON {TABLE}
  FOR EACH STATEMENT EXECUTE FUNCTION evidence_refuse();
CREATE OR REPLACE TRIGGER evidence_in_order BEFORE INSERT ON {TABLE}
  FOR EACH ROW EXECUTE FUNCTION evidence_link();
CREATE OR REPLACE TRIGGER checkpoint_no_change BEFORE UPDATE OR DELETE ON {CHECKPOINTS}
  FOR EACH ROW EXECUTE FUNCTION evidence_refuse();
CREATE OR REPLACE TRIGGER checkpoint_no_truncate BEFORE TRUNCATE ON {CHECKPOINTS}
  FOR EACH STATEMENT EXECUTE FUNCTION evidence_refuse();
CREATE OR REPLACE TRIGGER private_no_update BEFORE UPDATE ON {PRIVATE}
  FOR EACH ROW EXECUTE FUNCTION evidence_refuse();
CREATE OR REPLACE TRIGGER private_erased_on_record BEFORE DELETE ON {PRIVATE}
  FOR EACH ROW EXECUTE FUNCTION evidence_erase();
CREATE OR REPLACE TRIGGER private_no_truncate BEFORE TRUNCATE ON {PRIVATE}
  FOR EACH STATEMENT EXECUTE FUNCTION evidence_refuse();
"""
_POSTGRESQL_TABLES = {
    "evidence_no_change": TABLE,
    "evidence_no_truncate": TABLE,
    "evidence_in_order": TABLE,
    "checkpoint_no_change": CHECKPOINTS,
    "checkpoint_no_truncate": CHECKPOINTS,
    "private_no_update": PRIVATE,
    "private_erased_on_record": PRIVATE,
    "private_no_truncate": PRIVATE,
}

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
    "checkpoint_no_update": f"""BEFORE UPDATE ON {CHECKPOINTS}
      BEGIN SELECT raise(abort, 'evidence is append-only'); END""",
    "checkpoint_no_delete": f"""BEFORE DELETE ON {CHECKPOINTS}
      BEGIN SELECT raise(abort, 'evidence is append-only'); END""",
    "checkpoint_no_replace": f"""BEFORE INSERT ON {CHECKPOINTS}
      WHEN EXISTS (SELECT 1 FROM {CHECKPOINTS} c WHERE c.id = new.id
        OR (c.chain_id = new.chain_id AND c.size = new.size))
      BEGIN SELECT raise(abort, 'evidence is append-only (replace)'); END""",
    "private_no_update": f"BEFORE UPDATE ON {PRIVATE} BEGIN SELECT raise(abort, 'evidence is append-only'); END",
    "private_erased_on_record": f"""BEFORE DELETE ON {PRIVATE}
      WHEN NOT EXISTS (SELECT 1 FROM {TABLE} e WHERE e.chain_id = old.chain_id AND e.kind = 'privacy.erased'
        AND json_extract(e.body, '$.entry') = old.seq AND json_extract(e.body, '$.path') = old.path)
      BEGIN SELECT raise(abort, 'a personal value is erased by an entry that says so'); END""",
    "private_no_replace": f"""BEFORE INSERT ON {PRIVATE}
      WHEN EXISTS (SELECT 1 FROM {PRIVATE} v WHERE v.id = new.id
        OR (v.chain_id = new.chain_id AND v.seq = new.seq AND v.path = new.path))
      BEGIN SELECT raise(abort, 'evidence is append-only (replace)'); END""",
}


def install(connection: Any) -> None:
    """Make the triggers, or make them again."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # Named with its schema: a temporary table of the same name would be found first.
            cursor.execute("SELECT quote_ident(current_schema())")
            (schema,) = cursor.fetchone()
            cursor.execute(_POSTGRESQL.replace(f"FROM {TABLE} ", f"FROM {schema}.{TABLE} "))
            return
        for name, rule in _SQLITE.items():
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}")
            cursor.execute(f"CREATE TRIGGER {name} {rule}")


def drop(connection: Any) -> None:
    """Remove the triggers. Only a test's teardown has a reason to."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            for name, table in _POSTGRESQL_TABLES.items():
                cursor.execute(f"DROP TRIGGER IF EXISTS {name} ON {table}")
        else:
            for name in _SQLITE:
                cursor.execute(f"DROP TRIGGER IF EXISTS {name}")


def missing(connection: Any) -> list[str]:
    """Names of triggers that should be there, are enabled, and are not; and of columns the database ceased to make."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            wanted = frozenset(_POSTGRESQL_TABLES)
            cursor.execute("SELECT tgname FROM pg_trigger WHERE tgenabled IN ('O', 'A') AND NOT tgisinternal")
        else:
            wanted = frozenset(_SQLITE)
            cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        lost = wanted - {name for (name,) in cursor.fetchall()}
        if connection.vendor == "postgresql":
            of_entry = "attrelid = %s::regclass AND attgenerated <> ''"
            cursor.execute(f"SELECT attname FROM pg_attribute WHERE {of_entry}", [TABLE])
        else:
            cursor.execute("SELECT name FROM pragma_table_xinfo(%s) WHERE hidden IN (2, 3)", [TABLE])
        return sorted(lost | {f"column {name}" for name in GENERATED - {name for (name,) in cursor.fetchall()}})


def before_migrate(using: str, plan: Any = (), **_: Any) -> None:
    """On SQLite no table is made anew while another one's trigger reads it: until it is, nothing can be erased."""
    connection = connections[using]
    if plan and connection.vendor == "sqlite" and PRIVATE in connection.introspection.table_names():
        refuse = "SELECT raise(abort, 'nothing is erased before the migrations are done')"
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER IF EXISTS private_erased_on_record")
            cursor.execute(f"CREATE TRIGGER private_erased_on_record BEFORE DELETE ON {PRIVATE} BEGIN {refuse}; END")


def after_migrate(using: str, **_: Any) -> None:
    connection = connections[using]
    if {TABLE, CHECKPOINTS, PRIVATE} <= set(connection.introspection.table_names()):
        install(connection)

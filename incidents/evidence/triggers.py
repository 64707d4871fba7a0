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

# Functions of the triggers: name → body.
_POSTGRESQL = {
    "evidence_refuse": """
BEGIN RAISE EXCEPTION 'evidence is append-only (%)', tg_op USING errcode = 'restrict_violation'; END
""",
    "evidence_link": f"""
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
END
""",
    "evidence_erase": f"""
BEGIN
  IF NOT EXISTS (SELECT 1 FROM {TABLE} e WHERE e.chain_id = old.chain_id AND e.kind = 'privacy.erased'
      AND (e.body ->> 'entry')::bigint = old.seq AND e.body ->> 'path' = old.path) THEN
    RAISE EXCEPTION 'a personal value is erased by an entry that says so' USING errcode = 'restrict_violation';
  END IF;
  RETURN old;
END
""",
}
# Name → when, on which table, for each what, which function; in PostgreSQL's own words and order.
_POSTGRESQL_TRIGGERS = {
    "evidence_no_change": ("DELETE OR UPDATE", TABLE, "ROW", "evidence_refuse"),
    "evidence_no_truncate": ("TRUNCATE", TABLE, "STATEMENT", "evidence_refuse"),
    "evidence_in_order": ("INSERT", TABLE, "ROW", "evidence_link"),
    "checkpoint_no_change": ("DELETE OR UPDATE", CHECKPOINTS, "ROW", "evidence_refuse"),
    "checkpoint_no_truncate": ("TRUNCATE", CHECKPOINTS, "STATEMENT", "evidence_refuse"),
    "private_no_update": ("UPDATE", PRIVATE, "ROW", "evidence_refuse"),
    "private_erased_on_record": ("DELETE", PRIVATE, "ROW", "evidence_erase"),
    "private_no_truncate": ("TRUNCATE", PRIVATE, "STATEMENT", "evidence_refuse"),
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
            schema = _schema(cursor)
            for function, body in _functions(schema).items():
                head = f"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql"
                cursor.execute(f"{head} AS $${body}$$")
            for name in _POSTGRESQL_TRIGGERS:
                cursor.execute(_definition(name).replace("CREATE", "CREATE OR REPLACE", 1))
            return
        for name, rule in _SQLITE.items():
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}")
            cursor.execute(f"CREATE TRIGGER {name} {rule}")


def _schema(cursor: Any) -> str:
    cursor.execute("SELECT quote_ident(current_schema())")
    return str(cursor.fetchone()[0])


def _functions(schema: str) -> dict[str, str]:
    """The functions' bodies. Tables are named with their schema: a temporary one of the same name would come first."""
    return {name: body.replace(f"FROM {TABLE} ", f"FROM {schema}.{TABLE} ") for name, body in _POSTGRESQL.items()}


def _definition(name: str) -> str:
    when, table, each, function = _POSTGRESQL_TRIGGERS[name]
    return f"CREATE TRIGGER {name} BEFORE {when} ON {table} FOR EACH {each} EXECUTE FUNCTION {function}()"


def drop(connection: Any) -> None:
    """Remove the triggers. Only a test's teardown has a reason to."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            for name, (_, table, *_) in _POSTGRESQL_TRIGGERS.items():
                cursor.execute(f"DROP TRIGGER IF EXISTS {name} ON {table}")
        else:
            for name in _SQLITE:
                cursor.execute(f"DROP TRIGGER IF EXISTS {name}")


def missing(connection: Any) -> list[str]:
    """What should guard the evidence and does not: triggers that are gone, off or say something else, their functions
    likewise, and columns that the database ceased to make.
    """
    with connection.cursor() as cursor:
        found = _faults_on_postgresql(cursor) if connection.vendor == "postgresql" else _faults_on_sqlite(cursor)
    return sorted(found)


def _faults_on_postgresql(cursor: Any) -> set[str]:
    schema = _schema(cursor)
    cursor.execute(
        "SELECT tgname, replace(pg_get_triggerdef(oid), %s, '') FROM pg_trigger"
        " WHERE tgenabled IN ('O', 'A') AND NOT tgisinternal",
        [f"{schema}."],
    )
    defined = dict(cursor.fetchall())
    lost = {name for name in _POSTGRESQL_TRIGGERS if defined.get(name) != _definition(name)}
    cursor.execute("SELECT proname, prosrc FROM pg_proc WHERE pronamespace = %s::regnamespace", [schema])
    bodies = dict(cursor.fetchall())
    lost |= {f"function {name}" for name, body in _functions(schema).items() if bodies.get(name) != body}
    cursor.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attgenerated <> ''", [f"{schema}.{TABLE}"]
    )
    return lost | _not_made(cursor)


def _faults_on_sqlite(cursor: Any) -> set[str]:
    cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
    defined = dict(cursor.fetchall())
    lost = {name for name, rule in _SQLITE.items() if defined.get(name) != f"CREATE TRIGGER {name} {rule}"}
    cursor.execute("SELECT name FROM pragma_table_xinfo(%s) WHERE hidden IN (2, 3)", [TABLE])
    return lost | _not_made(cursor)


def _not_made(cursor: Any) -> set[str]:
    return {f"column {name}" for name in GENERATED - {name for (name,) in cursor.fetchall()}}


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

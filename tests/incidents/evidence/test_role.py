"""The least-privilege role of deploy/postgresql-role.sql: the portal works as it, and it bypasses no guard.

SQLite knows no roles: whoever holds the file can drop a trigger, which is named, and what they then do is told by what
was signed.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import DatabaseError, connection, connections, transaction

from incidents.evidence import checkpoints, completeness, log, triggers
from incidents.models import EvidenceEntry, Incident, PrivateValue
from incidents.steps import declare, privacy
from incidents.terms import Kind, Level, Phase, Role
from portal.bootstrap.places import ROOT
from portal.testing import postgres
from tests.factories import Crew, make_crew, make_incident

pytestmark = pytest.mark.django_db(transaction=True)

SCRIPT = ROOT / "deploy" / "postgresql-role.sql"
IS_SQLITE = connection.vendor == "sqlite"
# Roles belong to the whole server, and two test processes may share one.
NAME = f"lastgood_app_{os.getpid()}"
ENTRIES, CHECKPOINTS, VALUES, CHAINS = (
    triggers.TABLE,
    triggers.CHECKPOINTS,
    triggers.PRIVATE,
    "incidents_evidencechain",
)
# Each on a table without the right to it, so that no row and no trigger is even looked at.
BYPASSES = {
    "switch the triggers off": f"ALTER TABLE {ENTRIES} DISABLE TRIGGER ALL",
    "switch one trigger off": f"ALTER TABLE {ENTRIES} DISABLE TRIGGER evidence_no_change",
    "act as a replica": "SET session_replication_role = replica",
    "drop a trigger": f"DROP TRIGGER evidence_no_change ON {ENTRIES}",
    "put a trigger before": f"CREATE TRIGGER a BEFORE DELETE ON {ENTRIES} EXECUTE FUNCTION evidence_refuse()",
    "replace a trigger's function": "CREATE OR REPLACE FUNCTION evidence_refuse() RETURNS trigger "
    "LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$",
    "rewrite by a rule": f"CREATE RULE r AS ON DELETE TO {ENTRIES} DO INSTEAD NOTHING",
    "truncate the entries": f"TRUNCATE {ENTRIES}",
    "truncate everything": f"TRUNCATE {CHAINS} CASCADE",
    "truncate the checkpoints": f"TRUNCATE {CHECKPOINTS}",
    "truncate the personal values": f"TRUNCATE {VALUES}",
    "update an entry": f"UPDATE {ENTRIES} SET canonical = canonical WHERE false",
    "delete an entry": f"DELETE FROM {ENTRIES} WHERE false",
    "update a checkpoint": f"UPDATE {CHECKPOINTS} SET note = note WHERE false",
    "delete a checkpoint": f"DELETE FROM {CHECKPOINTS} WHERE false",
    "update a personal value": f"UPDATE {VALUES} SET value = value WHERE false",
    "delete a chain": f"DELETE FROM {CHAINS} WHERE false",
    "give a chain to another incident": f"UPDATE {CHAINS} SET incident_id = NULL WHERE false",
    "free a column": f"ALTER TABLE {ENTRIES} ALTER COLUMN body DROP EXPRESSION",
    "drop the table": f"DROP TABLE {ENTRIES} CASCADE",
    "rename the table": f"ALTER TABLE {ENTRIES} RENAME TO incidents_old",
    "take the table over": f"ALTER TABLE {ENTRIES} OWNER TO CURRENT_USER",
    "inherit from the table": f"CREATE TABLE mine () INHERITS ({ENTRIES})",
    "hide the table behind another": f"CREATE TEMPORARY TABLE {ENTRIES} (seq bigint)",
    "make a schema of its own": "CREATE SCHEMA mine",
    "become the owner": "SET ROLE {owner}",
    "become somebody else": "SET SESSION AUTHORIZATION {owner}",
    "grant itself more": f"GRANT ALL ON {ENTRIES} TO CURRENT_USER",
    "turn the numbers back": "SELECT setval(pg_get_serial_sequence('{entries}', 'id'), 1)",
    "rewrite what was migrated": "DELETE FROM django_migrations WHERE false",
}
_OF_ROWS = {
    name
    for name, statement in BYPASSES.items()
    if "WHERE false" in statement and any(table in statement for table in (ENTRIES, CHECKPOINTS, VALUES))
}
# A grant of what one does not have changes nothing, and PostgreSQL only warns of it.
_ONLY_WARNED = {"grant itself more"}


def psql() -> str:
    """The client beside the server that the tests run, or the one on the path."""
    beside = postgres.binaries() / "psql"
    return str(beside) if beside.exists() else shutil.which("psql") or "psql"


def run_script(role: str) -> subprocess.CompletedProcess[str]:
    """As docs/operations.md says it."""
    found = connection.settings_dict
    where = {"-h": found["HOST"], "-p": found["PORT"], "-U": found["USER"], "-d": found["NAME"]}
    target = [part for option, value in where.items() if value for part in (option, str(value))]
    how = ["-X", "-v", "ON_ERROR_STOP=1", "-1", "-c", f"SET lastgood.role = '{role}'", "-f", str(SCRIPT)]
    env = os.environ | ({"PGPASSWORD": found["PASSWORD"]} if found["PASSWORD"] else {})
    return subprocess.run([psql(), *target, *how], capture_output=True, text=True, timeout=60, env=env, check=False)


@contextmanager
def a_role(name: str) -> Iterator[None]:
    """The script's role, for as long as it lasts."""
    try:
        for _ in range(2):  # it is run again after every migrate
            done = run_script(name)
            assert done.returncode == 0, done.stderr
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP OWNED BY {name}")
            cursor.execute(f"DROP ROLE {name}")


@pytest.fixture
def as_role() -> Iterator[Any]:
    """The connection that Django uses, signed in as the role until the test is over."""
    known, password = dict(connection.settings_dict), secrets.token_hex(16)
    with a_role(NAME):
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER ROLE {NAME} PASSWORD '{password}'")
        try:
            _sign_in(NAME, password)
            yield connection
        finally:
            _sign_in(known["USER"], known["PASSWORD"])


def _sign_in(user: str, password: str) -> None:
    connections.close_all()
    connection.settings_dict.update(USER=user, PASSWORD=password)


def personal(crew: Crew, incident: Incident) -> PrivateValue:
    declare.add_note(incident, by=crew.commander, text="Jane was on call", personal=True)
    return PrivateValue.objects.get(chain=incident.chain)


if not IS_SQLITE:

    def test_the_portal_works_as_that_role_from_the_declaration_to_the_end(as_role: Any) -> None:
        crew = make_crew()
        incident = make_incident(crew, at=Phase.CLOSED, level=Level.L3)

        assert checkpoints.sign(incident.chain, "test")
        assert log.verify(incident.chain).is_intact
        assert completeness.check(incident) == []
        assert triggers.missing(as_role) == []
        with as_role.cursor() as cursor:
            cursor.execute("SELECT session_user")
            assert cursor.fetchone() == (NAME,)

    def test_it_appends_entries(as_role: Any) -> None:
        incident = make_incident(make_crew())
        head = incident.chain.entries.latest("seq")

        place = log.append(
            incident.chain,
            Kind.NOTE_ADDED,
            at=head.at,
            actor=log.SYSTEM_ACTOR,
            body={"sentence": "Written as the role"},
        )

        entry = EvidenceEntry.objects.get(pk=place.pk)
        assert (entry.seq, entry.prev) == (head.seq + 1, head.hash)
        assert log.verify(incident.chain).is_intact

    def test_it_erases_a_personal_value_after_the_entry_that_says_so_and_not_before(as_role: Any) -> None:
        crew = make_crew()
        incident = make_incident(crew)
        value = personal(crew, incident)

        with pytest.raises(DatabaseError), transaction.atomic():
            value.delete()
        privacy.erase(
            incident,
            value.seq,
            value.path,
            by=crew.commander,
            second=crew[Role.SECURITY_LEAD],
            reason="Asked for by the person",
        )

        assert not PrivateValue.objects.exists()

    @pytest.mark.parametrize("name", sorted(set(BYPASSES) - _ONLY_WARNED))
    def test_no_bypass_is_open_to_it(as_role: Any, name: str) -> None:
        owner = connection.ops.quote_name(_owner(as_role))
        statement = BYPASSES[name].replace("{owner}", owner).replace("{entries}", ENTRIES)

        with pytest.raises(DatabaseError) as refused, transaction.atomic(), as_role.cursor() as cursor:
            cursor.execute(statement)

        said = str(refused.value)
        assert "permission denied" in said or "must be owner" in said, said
        assert triggers.missing(as_role) == []

    def test_what_it_grants_itself_it_has_not(as_role: Any) -> None:
        with as_role.cursor() as cursor:
            cursor.execute(BYPASSES["grant itself more"])
            for privilege in ("UPDATE", "DELETE", "TRUNCATE", "TRIGGER"):
                cursor.execute("SELECT has_table_privilege(%s, %s)", [ENTRIES, privilege])
                assert cursor.fetchone() == (False,), privilege

    def test_what_an_earlier_hand_gave_is_taken_back() -> None:
        with a_role(NAME):
            with connection.cursor() as cursor:
                cursor.execute(f"GRANT ALL ON {ENTRIES}, {CHECKPOINTS}, {VALUES}, {CHAINS} TO {NAME}")
                cursor.execute(f"GRANT UPDATE ON {ENTRIES} TO PUBLIC")
            done = run_script(NAME)
            with connection.cursor() as cursor:
                cursor.execute("SELECT has_table_privilege(%s, %s, 'UPDATE')", [NAME, ENTRIES])
                may = cursor.fetchone()

        assert (done.returncode, may) == (0, (False,))

    @pytest.mark.parametrize(
        ("power", "said"),
        [
            ("ALTER ROLE {name} SUPERUSER", "has powers of its own"),
            ("GRANT {owner} TO {name}", "is a member of the role that does"),
            (
                "CREATE ROLE {name}_more; GRANT DELETE ON {entries} TO {name}_more; GRANT {name}_more TO {name}",
                "DELETE",
            ),
        ],
    )
    def test_a_role_that_has_more_by_another_way_is_refused_in_words(power: str, said: str) -> None:
        owner = connection.ops.quote_name(connection.settings_dict["USER"])
        with a_role(NAME):
            with connection.cursor() as cursor:
                cursor.execute(power.format(name=NAME, owner=owner, entries=ENTRIES))
            done = run_script(NAME)
            with connection.cursor() as cursor:
                cursor.execute(f"REVOKE {owner} FROM {NAME}")
                if "_more" in power:
                    cursor.execute(f"DROP OWNED BY {NAME}_more")
                    cursor.execute(f"DROP ROLE {NAME}_more")

        assert done.returncode != 0
        assert said in done.stderr

    def test_a_link_is_checked_against_the_real_table_even_where_a_temporary_one_stands_before_it() -> None:
        """The owner can make one; so could the role of an installation that never ran the script."""
        entry = make_incident(make_crew()).chain.entries.latest("seq")
        columns = "chain_id, seq, at, canonical, prev, hash"
        forged = "SELECT chain_id, seq + 9, at, canonical, hash, %s FROM"
        connection.close()  # a new session has prepared nothing yet

        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT quote_ident(current_schema())")
            (schema,) = cursor.fetchone()
            cursor.execute(f"CREATE TEMPORARY TABLE {ENTRIES} ON COMMIT DROP AS SELECT * FROM {schema}.{ENTRIES}")
            cursor.execute(f"UPDATE pg_temp.{ENTRIES} SET seq = seq + 8 WHERE id = %s", [entry.pk])
            with pytest.raises(DatabaseError), transaction.atomic():
                cursor.execute(
                    f"INSERT INTO {schema}.{ENTRIES} ({columns}) {forged} {schema}.{ENTRIES} WHERE id = %s",
                    ["f" * 64, entry.pk],
                )

        assert EvidenceEntry.objects.filter(hash="f" * 64).count() == 0

else:

    def test_sqlite_has_no_roles_and_who_holds_the_file_is_found_out() -> None:
        """Dropping a trigger is open to them: it is named, and what they cut is told by what was signed."""
        incident = make_incident(make_crew())
        checkpoints.sign(incident.chain, "test")
        last = incident.chain.entries.latest("seq")

        with connection.cursor() as cursor:
            for name in ("evidence_no_update", "evidence_no_delete"):
                cursor.execute(f"DROP TRIGGER {name}")
        named = triggers.missing(connection)
        last.delete()
        before = incident.chain.entries.latest("seq")
        type(incident.chain).objects.filter(pk=incident.chain.pk).update(seq=before.seq, hash=before.hash)

        assert named == ["evidence_no_delete", "evidence_no_update"]
        assert log.verify(incident.chain).is_intact
        with pytest.raises(checkpoints.Uncertain):
            checkpoints.sign(incident.chain, "test", thorough=True)

    @pytest.mark.parametrize("name", sorted(_OF_ROWS))
    def test_on_sqlite_the_triggers_alone_refuse(name: str) -> None:
        """Where PostgreSQL asks for a right, SQLite asks the trigger: of the guarded tables no row changes."""
        crew = make_crew()
        incident = make_incident(crew)
        personal(crew, incident)
        checkpoints.sign(incident.chain, "test")
        statement = BYPASSES[name].replace("WHERE false", "WHERE 1")

        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def _owner(found: Any) -> str:
    with found.cursor() as cursor:
        cursor.execute("SELECT tableowner FROM pg_tables WHERE tablename = %s", [ENTRIES])
        return str(cursor.fetchone()[0])

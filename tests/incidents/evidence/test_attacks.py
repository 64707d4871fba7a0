"""What was written stays written: every way to change, take out or slip in a line of the three guarded tables fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.core.management.sql import emit_pre_migrate_signal
from django.db import DatabaseError, IntegrityError, connection, models, transaction
from django.db.migrations import AlterField, Migration
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.state import ProjectState
from django.test import Client
from django.urls import NoReverseMatch, reverse

from incidents.evidence import chain, checkpoints, log, triggers
from incidents.models import Checkpoint, EvidenceEntry, Incident, PrivateValue
from incidents.steps import declare, privacy
from incidents.terms import Kind, Role
from tests.factories import Crew, UserFactory, make_crew, make_incident

pytestmark = pytest.mark.django_db

MODELS: list[type[models.Model]] = [EvidenceEntry, Checkpoint, PrivateValue]
IS_SQLITE = connection.vendor == "sqlite"
FORGED = "f" * 64
# A column of each table that is no part of a key, and one by which an upsert finds its row.
TARGET: dict[type[models.Model], tuple[str, str, str]] = {
    EvidenceEntry: ("canonical", "'{}'", "hash"),
    Checkpoint: ("note", "''", "chain_id, size"),
    PrivateValue: ("value", "''", "chain_id, seq, path"),
}


@dataclass
class World:
    crew: Crew
    incident: Incident

    def row(self, model: type[models.Model]) -> Any:
        """The last row of a guarded table."""
        return model._default_manager.order_by("pk").last()


@pytest.fixture
def world() -> World:
    """An incident with two personal values, and a checkpoint."""
    crew = make_crew()
    incident = make_incident(crew)
    for text in ("Jane saw it first", "John was on call"):
        declare.add_note(incident, by=crew.commander, text=text, personal=True)
    checkpoints.sign(incident.chain, "test")
    return World(crew, incident)


def contents() -> dict[str, list[Any]]:
    return {model.__name__: list(model._default_manager.order_by("pk").values()) for model in MODELS}


@contextmanager
def refused() -> Iterator[None]:
    """The database refuses it, and nothing of the three tables is other than before."""
    before = contents()
    with pytest.raises(DatabaseError), transaction.atomic():
        yield
    assert contents() == before


# SQL ----------------------------------------------------------------------------------------------------------------


def columns_of(model: type[models.Model]) -> str:
    return ", ".join(field.column for field in model._meta.concrete_fields if not field.generated)


def copied(model: type[models.Model]) -> str:
    """All columns but the key, to be written and read again."""
    return ", ".join(
        field.column for field in model._meta.concrete_fields if not field.generated and not field.primary_key
    )


def statements(model: type[models.Model]) -> dict[str, str]:
    """Each takes the key of a row. `%s` stands for it."""
    table, (column, value, unique) = model._meta.db_table, TARGET[model]
    everything, but_key = columns_of(model), copied(model)
    here = "WHERE id = %s"
    both = {
        "update": f"UPDATE {table} SET {column} = {value} {here}",
        "update to the same": f"UPDATE {table} SET {column} = {column} {here}",
        "update of the key": f"UPDATE {table} SET id = id + 1000 {here}",
        "update of all": f"UPDATE {table} SET {column} = {value} WHERE id <= %s",
        "delete one": f"DELETE FROM {table} {here}",
        "delete all": f"DELETE FROM {table} WHERE id <= %s",
        "copy": f"INSERT INTO {table} ({but_key}) SELECT {but_key} FROM {table} {here}",
        "upsert": f"INSERT INTO {table} ({but_key}) SELECT {but_key} FROM {table} {here} "
        f"ON CONFLICT ({unique}) DO UPDATE SET {column} = {value}",
        "upsert by key": f"INSERT INTO {table} ({everything}) SELECT {everything} FROM {table} {here} "
        f"ON CONFLICT (id) DO UPDATE SET {column} = {value}",
    }
    sqlite = {
        "insert or replace": f"INSERT OR REPLACE INTO {table} ({everything}) SELECT {everything} FROM {table} {here}",
        "replace": f"REPLACE INTO {table} ({but_key}) SELECT {but_key} FROM {table} {here}",
        "update or replace": f"UPDATE OR REPLACE {table} SET id = id - 1 {here}",
        "update or ignore": f"UPDATE OR IGNORE {table} SET {column} = {value} {here}",
        "update from": f"UPDATE {table} SET {column} = {value} FROM (SELECT 1) AS one {here}",
    }
    postgresql = {
        "truncate": f"TRUNCATE {table}, {table}",
        "truncate cascade": f"TRUNCATE {EvidenceEntry._meta.db_table}, {table} CASCADE",
        "delete with others": f"WITH gone AS (DELETE FROM {table} {here} RETURNING id) SELECT * FROM gone",
        "merge, update": f"MERGE INTO {table} t USING (SELECT %s AS id) s ON t.id = s.id "
        f"WHEN MATCHED THEN UPDATE SET {column} = {value}",
        "merge, delete": f"MERGE INTO {table} t USING (SELECT %s AS id) s ON t.id = s.id WHEN MATCHED THEN DELETE",
    }
    return both | (sqlite if IS_SQLITE else postgresql)


@pytest.mark.parametrize("attack", sorted(statements(EvidenceEntry)))
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_no_statement_changes_or_takes_out_a_written_row(world: World, model: type[models.Model], attack: str) -> None:
    statement, key = statements(model)[attack], world.row(model).pk

    with refused(), connection.cursor() as cursor:
        cursor.execute(statement, [key] if "%s" in statement else [])

    assert log.verify(world.incident.chain).is_intact


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_a_statement_that_skips_conflicts_changes_nothing(world: World, model: type[models.Model]) -> None:
    """`DO NOTHING` is no attack; on SQLite the guard says no even to that."""
    before, but_key, table = contents(), copied(model), model._meta.db_table
    statement = f"INSERT INTO {table} ({but_key}) SELECT {but_key} FROM {table} WHERE id = %s ON CONFLICT DO NOTHING"

    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement, [world.row(model).pk])
    except DatabaseError:
        assert IS_SQLITE or model is EvidenceEntry

    assert contents() == before


# An entry out of its place ------------------------------------------------------------------------------------------

_OUT_OF_PLACE: dict[str, Callable[[EvidenceEntry], tuple[int, str, str]]] = {
    "a fork": lambda last: (last.seq, last.prev, FORGED),
    "a fork further on": lambda last: (last.seq + 1, last.prev, FORGED),
    "a gap": lambda last: (last.seq + 9, last.hash, FORGED),
    "a second genesis": lambda _: (1, chain.ZERO, FORGED),
    "a genesis further on": lambda last: (last.seq + 1, chain.ZERO, FORGED),
    "an entry before the first": lambda _: (0, "e" * 64, FORGED),
    "an entry below nought": lambda _: (-1, chain.ZERO, FORGED),
    "a hash that is there already": lambda last: (last.seq + 1, last.hash, last.hash),
}


@pytest.mark.parametrize("name", sorted(_OUT_OF_PLACE))
def test_no_entry_is_put_out_of_its_place(world: World, name: str) -> None:
    last = world.incident.chain.entries.latest("seq")
    table = triggers.TABLE
    forged = f"SELECT chain_id, %s, at, canonical, %s, %s FROM {table} WHERE id = %s"

    with refused(), connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} (chain_id, seq, at, canonical, prev, hash) {forged}",
            [*_OUT_OF_PLACE[name](last), last.pk],
        )


def test_an_entry_of_one_chain_does_not_follow_one_of_another(world: World) -> None:
    other = make_incident(make_crew()).chain.entries.latest("seq")

    with refused():
        EvidenceEntry.objects.create(
            chain=world.incident.chain,
            seq=other.seq + 1,
            at=other.at,
            canonical=other.canonical,
            prev=other.hash,
            hash=FORGED,
        )


@pytest.mark.parametrize("column", sorted(triggers.GENERATED))
def test_what_people_read_cannot_be_written_apart_from_what_was_hashed(world: World, column: str) -> None:
    entry = world.row(EvidenceEntry)
    triggers.drop(connection)

    with refused(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE {triggers.TABLE} SET {column} = '{{}}' WHERE id = %s", [entry.pk])


def test_a_chain_with_entries_is_not_deleted(world: World) -> None:
    """By foreign key: the entries, checkpoints and values of a chain would go with it."""
    key = world.incident.chain.pk
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM incidents_evidencechain WHERE id = %s", [key.hex if IS_SQLITE else str(key)])
        with pytest.raises(IntegrityError):
            connection.check_constraints()
        transaction.set_rollback(True)


# The ORM ------------------------------------------------------------------------------------------------------------


def changed(row: Any) -> Any:
    column, value, _ = TARGET[type(row)]
    setattr(row, column, value.strip("'"))
    return row


def twin(row: Any) -> Any:
    """A new object with every column of a row that can be written, its key included."""
    fields = [field for field in row._meta.concrete_fields if not field.generated]
    return type(row)(**{field.attname: getattr(row, field.attname) for field in fields})


def _update_or_create(row: Any) -> None:
    column, value, _ = TARGET[type(row)]
    type(row).objects.update_or_create(pk=row.pk, defaults={column: value.strip("'")})


_BY_ORM: dict[str, Callable[[Any], Any]] = {
    "save": lambda row: changed(row).save(),
    "save of one field": lambda row: changed(row).save(update_fields=[TARGET[type(row)][0]]),
    "save as new": lambda row: twin(row).save(force_insert=True),
    "delete": lambda row: row.delete(),
    "update": lambda row: type(row).objects.filter(pk=row.pk).update(**{TARGET[type(row)][0]: "{}"}),
    "update of all": lambda row: type(row).objects.update(**{TARGET[type(row)][0]: "{}"}),
    "bulk_update": lambda row: type(row).objects.bulk_update([changed(row)], [TARGET[type(row)][0]]),
    "bulk_create": lambda row: type(row).objects.bulk_create([twin(row)]),
    "bulk_create with update_conflicts": lambda row: type(row).objects.bulk_create(
        [changed(twin(row))], update_conflicts=True, unique_fields=["pk"], update_fields=[TARGET[type(row)][0]]
    ),
    "update_or_create": _update_or_create,
    "delete of a queryset": lambda row: type(row).objects.filter(pk=row.pk).delete(),
    "delete of all": lambda row: type(row).objects.all().delete(),
    "raw delete": lambda row: type(row).objects.all()._raw_delete(using="default"),
}


@pytest.mark.parametrize("attack", sorted(_BY_ORM))
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_no_call_of_the_orm_changes_or_takes_out_a_row(world: World, model: type[models.Model], attack: str) -> None:
    row = world.row(model)

    with refused():
        _BY_ORM[attack](row)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_a_row_goes_not_with_what_it_belongs_to(world: World, model: type[models.Model]) -> None:
    """PROTECT on every foreign key to a chain and from a chain to its incident."""
    assert world.row(model)

    for owner in (world.incident.chain, world.incident):
        with pytest.raises(models.ProtectedError):
            owner.delete()


# The back office ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_no_page_of_the_back_office_changes_or_takes_out_a_row(world: World, model: type[models.Model]) -> None:
    client, row, before = Client(), world.row(model), contents()
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    column, _, _ = TARGET[model]
    listed = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
    posts = [("add", [], {column: "{}"}), ("change", [row.pk], {column: "{}"}), ("delete", [row.pk], {"post": "yes"})]

    answers = {
        page: client.post(found, fields).status_code
        for page, args, fields in [*posts, ("changelist", [], listed)]
        if (found := address_of(model, page, args))
    }

    assert contents() == before
    assert {answers[page] for page, _, _ in posts if page in answers} <= {403}


def address_of(model: type[models.Model], page: str, args: list[Any]) -> str | None:
    try:
        return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)
    except NoReverseMatch:
        return None


# A personal value goes by its entry, and only by it -----------------------------------------------------------------


def erased(world: World, value: PrivateValue, **said: Any) -> None:
    """An entry that says that a value was erased, or something like it."""
    body = {"sentence": "Erased", "entry": value.seq, "path": value.path} | said
    log.append(world.incident.chain, Kind.ERASED, at=value.chain.at, actor=log.SYSTEM_ACTOR, body=body)


def test_a_personal_value_goes_after_the_entry_that_says_so_and_no_other_goes_with_it(world: World) -> None:
    kept, gone = PrivateValue.objects.order_by("seq")
    erased(world, gone)

    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {triggers.PRIVATE} WHERE id = %s", [gone.pk])

    assert list(PrivateValue.objects.all()) == [kept]
    with refused():
        PrivateValue.objects.all().delete()
    assert log.verify(world.incident.chain).is_intact


@pytest.mark.parametrize("said", [{"entry": 1}, {"path": "owner"}, {"entry": None}, {"path": None}])
def test_an_entry_about_something_else_lets_no_value_go(world: World, said: dict[str, Any]) -> None:
    value = world.row(PrivateValue)
    erased(world, value, **said)

    with refused():
        value.delete()


def test_an_entry_of_another_kind_or_log_lets_no_value_go(world: World) -> None:
    value = world.row(PrivateValue)
    about = {"sentence": "Erased", "entry": value.seq, "path": value.path}
    head = value.chain
    log.append(head, Kind.NOTE_ADDED, at=head.at, actor=log.SYSTEM_ACTOR, body=about)
    log.append(log.global_chain(), Kind.ERASED, at=head.at, actor=log.SYSTEM_ACTOR, body=about)

    with refused():
        value.delete()


def test_a_value_whose_erasure_is_on_record_is_still_not_changed(world: World) -> None:
    value = world.row(PrivateValue)
    erased(world, value)

    with refused():
        PrivateValue.objects.filter(pk=value.pk).update(value="Somebody else")


def test_the_step_that_erases_is_the_way(world: World) -> None:
    value = world.row(PrivateValue)

    privacy.erase(
        world.incident,
        value.seq,
        value.path,
        by=world.crew.commander,
        second=world.crew[Role.SECURITY_LEAD],
        reason="Asked for by the person",
    )

    assert not PrivateValue.objects.filter(pk=value.pk).exists()


# The guards themselves ----------------------------------------------------------------------------------------------

WATCHED = {
    EvidenceEntry: ("prev", {"evidence_in_order", "evidence_no_delete", "evidence_no_replace", "evidence_no_update"}),
    Checkpoint: ("reason", {"checkpoint_no_delete", "checkpoint_no_replace", "checkpoint_no_update"}),
    PrivateValue: ("path", {"private_erased_on_record", "private_no_replace", "private_no_update"}),
}


def faults() -> str:
    return " ".join(error.msg for error in run_checks(tags=["database"], databases=["default"]))


def readyz(client: Client) -> str:
    return str(client.get("/readyz").json()["checks"]["triggers"])


def test_the_guards_are_there_after_migrate() -> None:
    assert triggers.missing(connection) == []
    assert faults() == ""


@pytest.mark.parametrize("name", sorted(triggers._SQLITE if IS_SQLITE else triggers._POSTGRESQL_TRIGGERS))
def test_each_guard_that_is_lost_is_named_wherever_one_looks(client: Client, name: str) -> None:
    with connection.cursor() as cursor:
        table = "" if IS_SQLITE else f" ON {triggers._POSTGRESQL_TRIGGERS[name][1]}"
        cursor.execute(f"DROP TRIGGER {name}{table}")

    assert triggers.missing(connection) == [name]
    assert name in faults()
    assert name in readyz(client)
    triggers.install(connection)
    assert triggers.missing(connection) == []


def test_a_guard_of_the_right_name_that_guards_nothing_is_named(client: Client) -> None:
    with connection.cursor() as cursor:
        if IS_SQLITE:
            cursor.execute("DROP TRIGGER evidence_no_delete")
            cursor.execute(f"CREATE TRIGGER evidence_no_delete BEFORE DELETE ON {triggers.TABLE} BEGIN SELECT 1; END")
        else:
            empty = "RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN new; END$$"
            cursor.execute(f"CREATE OR REPLACE FUNCTION evidence_link() {empty}")
            cursor.execute(
                f"CREATE OR REPLACE TRIGGER evidence_no_change BEFORE UPDATE ON {triggers.TABLE}"
                " FOR EACH ROW EXECUTE FUNCTION evidence_refuse()"
            )
    named = ["evidence_no_delete"] if IS_SQLITE else ["evidence_no_change", "function evidence_link"]

    assert triggers.missing(connection) == named
    assert all(name in faults() and name in readyz(client) for name in named)
    call_command("migrate", verbosity=0)
    assert triggers.missing(connection) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_a_migration_that_makes_a_table_anew_takes_no_guard_for_good(client: Client, model: type[models.Model]) -> None:
    """On SQLite an AlterField copies the table, and its triggers are gone without a word (reliability, evidence)."""
    name, lost = WATCHED[model]
    migration, state = widened(model, name)
    emit_pre_migrate_signal(0, False, "default", plan=[(migration, False)])
    try:
        with connection.schema_editor() as editor:
            migration.apply(state.clone(), editor)
        found = set(triggers.missing(connection))
        said = faults(), readyz(client)
        call_command("migrate", verbosity=0)
        after = triggers.missing(connection)
    finally:
        emit_pre_migrate_signal(0, False, "default", plan=[(migration, True)])
        with connection.schema_editor() as editor:
            migration.unapply(state.clone(), editor)
        triggers.install(connection)

    # What erases is shut while a migration runs, which is an alteration as well.
    assert found == (lost | {"private_erased_on_record"} if IS_SQLITE else set())
    assert all(trigger in answer for trigger in found for answer in said)
    assert after == []


def widened(model: type[models.Model], name: str) -> tuple[Migration, ProjectState]:
    """A migration that gives a column one more character, and the state that it begins from."""
    field = model._meta.get_field(name)
    migration = Migration("9999_wider", "incidents")
    wider = models.CharField(max_length=(field.max_length or 0) + 1)
    migration.operations = [AlterField(model.__name__, name, wider)]
    return migration, MigrationExecutor(connection).loader.project_state()


def test_nothing_can_be_erased_while_a_migration_runs(world: World) -> None:
    value = world.row(PrivateValue)
    erased(world, value)
    emit_pre_migrate_signal(0, False, "default", plan=[(Migration("9999_any", "incidents"), False)])

    if IS_SQLITE:
        assert triggers.missing(connection) == ["private_erased_on_record"]
        with refused():
            value.delete()
    call_command("migrate", verbosity=0)
    value.delete()


@pytest.mark.parametrize("column", sorted(triggers.GENERATED))
def test_a_column_that_the_database_ceased_to_make_is_named(column: str) -> None:
    statement = f"ALTER TABLE {triggers.TABLE} ALTER COLUMN {column} DROP EXPRESSION"
    if IS_SQLITE:  # it knows no such statement: only a new table could do it
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
        return
    with connection.cursor() as cursor:
        cursor.execute(statement)

    assert triggers.missing(connection) == [f"column {column}"]
    assert f"column {column}" in faults()

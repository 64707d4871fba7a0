"""Checkpoints: signed when the chain continues what was signed, refused with an alarm when it does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from incidents.evidence import checkpoints, keys, log, triggers, verify, witness
from incidents.evidence.note import Statement, opened
from incidents.models import Checkpoint, EvidenceChain, Incident
from incidents.steps import declare
from incidents.terms import Kind, Phase
from tests.factories import Crew, cut, make_crew, make_incident, tamper

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _key(settings: Any, tmp_path: Path) -> None:
    settings.KEY_DIR = tmp_path / "keys"


@pytest.fixture
def crew() -> Crew:
    return make_crew()


def sign(incident: Incident) -> Checkpoint:
    found = checkpoints.sign(incident.chain, "test")
    assert found
    return found


def test_a_checkpoint_says_size_root_and_head_and_is_kept_outside_the_database(crew: Crew) -> None:
    incident = make_incident(crew)

    found = sign(incident)

    statement = Statement.read(opened(found.note, keys.verifiers()))
    head = EvidenceChain.objects.get(incident=incident)
    assert (statement.size, statement.head, statement.root.hex()) == (head.seq, head.hash, found.root)
    assert statement.origin == f"127.0.0.1:8000/rollback/{head.pk}"
    assert witness.last(head.pk) == statement
    entry = log.global_chain().entries.get(kind=Kind.CHECKPOINT_SIGNED)
    assert (entry.body["size"], entry.body["root"], entry.body["chain"]) == (head.seq, found.root, str(head.pk))
    key = log.global_chain().entries.get(kind=Kind.KEY_MADE)
    assert key.body["key"] == str(keys.signer().verifier)


def test_a_key_that_another_process_is_making_is_used_at_once(settings: Any) -> None:
    made = keys.signer().verifier
    (Path(settings.KEY_DIR) / keys.PUBLIC).unlink()  # as it is between the first file and the second

    assert keys.signer().verifier == made
    assert keys.verifiers() == [made]


def test_a_lost_list_of_public_keys_is_not_replaced_by_a_poorer_one(crew: Crew, settings: Any) -> None:
    sign(make_incident(crew))
    old, _ = keys.rotate()
    kept = (Path(settings.KEY_DIR) / keys.PUBLIC).read_text()
    (Path(settings.KEY_DIR) / keys.PUBLIC).unlink()

    with pytest.raises(keys.NoKey, match=r"verifiers\.txt is missing: restore it"):
        keys.signer()

    (Path(settings.KEY_DIR) / keys.PUBLIC).write_text(kept)
    assert keys.signer()
    assert old in keys.verifiers()


@pytest.mark.parametrize("damage", [Path.unlink, lambda file: file.write_text("no key")])
def test_a_lost_or_damaged_key_is_rotated_and_signs_on(crew: Crew, settings: Any, damage: Any) -> None:
    old = keys.signer().verifier
    damage(Path(settings.KEY_DIR) / keys.PRIVATE)
    with pytest.raises(keys.NoKey):
        keys.signer()

    call_command("checkpoint", "key", "--rotate")

    assert keys.verifiers()[1:] == [old]
    assert opened(sign(make_incident(crew)).note, keys.verifiers()[:1])


def test_a_size_is_signed_once_and_the_next_one_goes_on(crew: Crew) -> None:
    incident = make_incident(crew)
    first = sign(incident)
    again = sign(incident)
    declare.add_note(incident, by=crew.commander, text="One more")

    assert again == first
    assert sign(incident).size == first.size + 1


def test_from_the_last_checkpoint_the_same_root_follows_as_from_the_start(
    crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    incident = make_incident(crew)
    sign(incident)
    for number in range(5):
        declare.add_note(incident, by=crew.commander, text=f"Note {number}")
    monkeypatch.setattr(checkpoints, "_WHOLE", 0)

    grown = sign(incident)

    whole = verify.check(str(incident.chain.pk), log.lines(incident.chain), with_tree=True)
    assert grown.root == whole.tree.root().hex()


def test_a_rewritten_entry_is_not_signed_over(crew: Crew) -> None:
    incident = make_incident(crew)
    sign(incident)
    declare.add_note(incident, by=crew.commander, text="One more")
    tamper(incident, 3)

    with pytest.raises(checkpoints.Uncertain, match="Entry 3 was changed after it was written"):
        checkpoints.sign(incident.chain, "test")

    assert "Entry 3 was changed" in witness.alarms()[incident.chain.pk]


@pytest.mark.parametrize("whole", [0, 20_000])
def test_a_cut_and_regrown_log_is_not_signed_over(crew: Crew, monkeypatch: pytest.MonkeyPatch, whole: int) -> None:
    incident = make_incident(crew)
    size = sign(incident).size
    cut(incident, 3)
    for number in range(size):
        declare.add_note(incident, by=crew.commander, text=f"Another story {number}")
    monkeypatch.setattr(checkpoints, "_WHOLE", whole)

    with pytest.raises(checkpoints.Uncertain):
        checkpoints.sign(incident.chain, "test")


def test_a_checkpoint_row_that_was_forged_is_not_grown_from(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    incident = make_incident(crew)
    found = sign(incident)
    triggers.drop(connection)
    Checkpoint.objects.filter(pk=found.pk).update(frontier=bytes(len(bytes(found.frontier))))
    declare.add_note(incident, by=crew.commander, text="One more")
    monkeypatch.setattr(checkpoints, "_WHOLE", 0)

    with pytest.raises(checkpoints.Uncertain, match="not the one that was signed"):
        checkpoints.sign(incident.chain, "test")


def test_an_older_database_is_noticed_and_recorded(crew: Crew) -> None:
    incident = make_incident(crew)
    size = sign(incident).size
    cut(incident, size - 2)
    triggers.drop(connection)
    Checkpoint.objects.all().delete()

    faults = checkpoints.sign_all()

    sentence = f"{size} entries were signed and only {size - 2} are there. Was an older database restored?"
    assert sentence in faults[0]
    entry = log.global_chain().entries.get(kind=Kind.EVIDENCE_UNCERTAIN)
    assert sentence in entry.sentence
    checkpoints.sign_all()
    assert log.global_chain().entries.filter(kind=Kind.EVIDENCE_UNCERTAIN).count() == 1


def test_a_log_that_is_gone_altogether_is_noticed(crew: Crew) -> None:
    incident = make_incident(crew)
    sign(incident)
    note, note_of = witness.last(incident.chain.pk), incident.chain.pk
    triggers.drop(connection)
    Checkpoint.objects.all().delete()
    incident.chain.entries.all().delete()
    EvidenceChain.objects.filter(pk=incident.chain.pk).delete()

    assert note
    assert f"{note.size} entries of it were signed" in checkpoints.went_back()[note_of]


def test_a_forged_witness_is_no_witness(crew: Crew) -> None:
    incident = make_incident(crew)
    sign(incident)
    forger = Statement("x/rollback/" + str(incident.chain.pk), 1, bytes(32))
    witness.set_aside(incident.chain.pk)
    witness.keep(incident.chain.pk, forger.text + "\n— x AAAAAAAA\n")
    declare.add_note(incident, by=crew.commander, text="One more")

    with pytest.raises(checkpoints.Uncertain, match="no checkpoint of this portal"):
        checkpoints.sign(incident.chain, "test")


def test_an_act_that_is_taken_back_leaves_no_witness(crew: Crew) -> None:
    from django.db import transaction

    incident = make_incident(crew)
    with transaction.atomic():
        sign(incident)
        transaction.set_rollback(True)

    assert witness.last(incident.chain.pk) is None
    assert Checkpoint.objects.count() == 0


# What people kept ----------------------------------------------------------------------------------------------------


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    try:
        call_command("verify_evidence", *arguments)
        code = 0
    except SystemExit as ended:
        code = int(str(ended.code))
    return code, capsys.readouterr().out


def test_a_checkpoint_tells_what_was_rewritten_and_what_was_added(
    crew: Crew, tmp_path: Path, capsys: pytest.CaptureFixture[str], settings: Any
) -> None:
    incident = make_incident(crew)
    early = sign(incident)
    (tmp_path / "early").write_text(early.note)
    for number in range(4):
        declare.add_note(incident, by=crew.commander, text=f"Note {number}")
    late = sign(incident)
    (tmp_path / "late").write_text(late.note)
    files = [f"--checkpoint={tmp_path / name}" for name in ("early", "late")]

    held = run(capsys, incident.reference, *files)
    cut(incident, early.size + 1)
    Checkpoint.objects.all().delete()
    settings.WITNESS_DIR = tmp_path / "elsewhere"
    for number in range(6):
        declare.add_note(incident, by=crew.commander, text=f"Another story {number}")
    rewritten = run(capsys, incident.reference, *files)

    assert (held[0], rewritten[0]) == (verify.HOLDS, verify.TRUNCATED)
    assert f"Entries 1 to {early.size} are as they were signed; 4 were added since." in held[1]
    assert f"Entries 1 to {late.size} are as they were signed; nothing was added since." in held[1]
    between = f"entries {early.size + 1} to {late.size} were rewritten."
    assert f"Entries 1 to {early.size} are as they were signed; {between}" in rewritten[1]


def test_a_checkpoint_that_we_did_not_sign_gives_3(
    crew: Crew, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    incident = make_incident(crew)
    note = sign(incident).note
    (tmp_path / "forged").write_text(note.replace("\n" + str(incident.chain.seq) + "\n", "\n9\n", 1))
    (tmp_path / "nothing").write_text("Hello")

    assert run(capsys, incident.reference, "--checkpoint", str(tmp_path / "forged"))[0] == verify.BAD_SIGNATURE
    assert run(capsys, incident.reference, "--checkpoint", str(tmp_path / "nothing"))[0] == verify.BAD_SIGNATURE


def test_a_rotated_key_signs_on_and_what_the_old_one_signed_still_holds(
    crew: Crew, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    incident = make_incident(crew)
    (tmp_path / "old").write_text(sign(incident).note)
    old, new = keys.rotate()
    declare.add_note(incident, by=crew.commander, text="After the rotation")
    found = sign(incident)

    assert old != new
    assert opened(found.note, [new])
    assert run(capsys, incident.reference, "--checkpoint", str(tmp_path / "old"))[0] == verify.HOLDS
    assert log.global_chain().entries.filter(kind=Kind.KEY_MADE).count() == 2


def test_gates_unfreeze_and_close_are_signed(crew: Crew) -> None:
    current_app.conf.task_always_eager = True
    try:
        incident = make_incident(crew, at=Phase.CLOSED)
    finally:
        current_app.conf.task_always_eager = False

    signed = set(incident.chain.checkpoints.values_list("size", flat=True))
    kinds = (Kind.LIFTED, Kind.CLOSED)
    turns = set(incident.chain.entries.filter(kind__in=kinds).values_list("seq", flat=True))
    passed = set(
        incident.chain.entries.filter(kind=Kind.GATE_RECORDED, body__outcome="pass").values_list("seq", flat=True)
    )
    assert len(passed) >= 4
    assert turns | passed <= signed


# After a restore ----------------------------------------------------------------------------------------------------


def restored(crew: Crew) -> Incident:
    """The database as it was before the last entries and their checkpoint."""
    incident = make_incident(crew)
    early = sign(incident)
    declare.add_note(incident, by=crew.commander, text="Written after the backup")
    late = sign(incident)
    cut(incident, early.size)
    Checkpoint.objects.filter(pk=late.pk).delete()
    checkpoints.sign_all()
    return incident


def test_a_restored_log_is_accepted_by_a_person_and_signed_on(crew: Crew) -> None:
    incident = restored(crew)
    assert incident.chain.pk in witness.alarms()

    call_command("checkpoint", "accept", incident.reference, "--reason", "Disk failure, backup of 03:00")

    assert witness.alarms() == {}
    assert checkpoints.went_back() == {}
    entry = log.global_chain().entries.filter(kind=Kind.EVIDENCE_UNCERTAIN).latest("seq")
    assert entry.sentence.endswith("is accepted as it is: Disk failure, backup of 03:00")
    assert entry.body["signed_before"] == entry.body["size"] + 1
    declare.add_note(incident, by=crew.commander, text="And on it goes")
    assert sign(incident).size == entry.body["size"] + 1


def test_a_log_that_contradicts_its_own_checkpoints_is_not_accepted(crew: Crew) -> None:
    incident = make_incident(crew)
    sign(incident)
    cut(incident, 3)

    with pytest.raises(CommandError, match="were cut off"):
        call_command("checkpoint", "accept", incident.reference, "--reason", "It will be fine")


def test_the_command_signs_all_shows_keys_and_rotates(crew: Crew, capsys: pytest.CaptureFixture[str]) -> None:
    make_incident(crew)

    call_command("checkpoint", "sign")
    call_command("checkpoint", "key")
    first = capsys.readouterr().out.splitlines()[-1]
    call_command("checkpoint", "key", "--rotate")

    new, old = keys.verifiers()
    assert first == str(old)
    assert capsys.readouterr().out.splitlines() == [f"No longer used: {old}", str(new), str(old)]

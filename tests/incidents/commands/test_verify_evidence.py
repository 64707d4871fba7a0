"""`manage.py verify_evidence`: 0 when every stored line holds, 1 with the first that does not."""

from __future__ import annotations

from datetime import date
from io import StringIO
from threading import Event, Thread

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from incidents.evidence import log, triggers
from incidents.models import EvidenceChain, EvidenceEntry
from incidents.terms import Kind
from tests.factories import make_crew, make_incident, tamper

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> tuple[int, list[str]]:
    said = StringIO()
    try:
        call_command("verify_evidence", *arguments, stdout=said)
    except SystemExit as end:
        return int(str(end.code)), said.getvalue().splitlines()
    return 0, said.getvalue().splitlines()


def test_every_log_is_verified_and_the_code_is_0() -> None:
    incident = make_incident(make_crew())
    head = EvidenceChain.objects.get(pk=incident.chain.pk)

    code, lines = run("--log-only")

    assert code == 0
    assert f"{incident.reference}: intact, {head.seq} entries, head {head.hash}" in lines
    assert any(line.startswith("global: intact, 2 entries") for line in lines)


def test_a_row_that_no_entry_explains_gives_1_and_is_named() -> None:
    incident = make_incident(make_crew())
    whole = run(incident.reference)
    said = {"number": 1, "title": "Slipped in", "owner": "x", "priority": "P1", "due_on": date(2027, 1, 5)}
    incident.follow_ups.create(**said, added_at=incident.declared_at)

    code, lines = run(incident.reference)

    assert whole[0] == 0
    assert code == 1
    assert "Slipped in" in lines[-1]
    assert run(incident.reference, "--log-only")[0] == 0


def test_configuration_that_was_made_past_the_portal_is_named() -> None:
    make_incident(make_crew())  # the tests make products and people without the admin

    code, lines = run("global")

    assert code == 1
    assert any("Product" in line for line in lines)


def test_a_tampered_row_gives_1_and_its_number() -> None:
    good, bad = make_incident(make_crew()), make_incident(make_crew())
    triggers.drop(connection)
    tamper(bad, 4)

    everything = run()
    only_good = run(good.reference)
    only_bad = run(bad.reference)

    sentence = f"{bad.reference}: broken at entry 4. Entry 4 was changed after it was written."
    assert everything[0] == 1
    assert sentence in everything[1]
    assert any(line.startswith(f"{good.reference}: intact") for line in everything[1])
    assert only_good[0] == 0
    assert only_bad == (1, [sentence])


def test_a_missing_row_gives_1_and_its_number() -> None:
    incident = make_incident(make_crew())
    triggers.drop(connection)
    EvidenceEntry.objects.filter(chain=incident.chain, seq=2).delete()

    assert run(incident.reference) == (
        1,
        [f"{incident.reference}: broken at entry 3. Entry 2 is missing: the next one found is 3."],
    )


def test_a_line_that_the_head_does_not_know_gives_1() -> None:
    incident = make_incident(make_crew())
    head = EvidenceChain.objects.get(pk=incident.chain.pk)
    before = EvidenceEntry.objects.get(chain=head, seq=head.seq - 1)
    EvidenceChain.objects.filter(pk=head.pk).update(seq=before.seq, hash=before.hash)

    code, lines = run(incident.reference)

    sentence = f"The log's head names entry {before.seq}, but {head.seq} are there."
    assert (code, lines) == (1, [f"{incident.reference}: broken at entry {head.seq}. {sentence}"])


def test_the_global_log_can_be_named_and_an_unknown_one_cannot() -> None:
    make_incident(make_crew())

    assert run("global", "--log-only")[0] == 0
    with pytest.raises(CommandError, match="There is no evidence log of “RB-1999-0001”") as refused:
        run("RB-1999-0001")
    assert refused.value.returncode not in (0, 1, 2, 3)


@pytest.mark.django_db(transaction=True)
def test_a_log_that_grows_meanwhile_is_still_intact() -> None:
    chain = log.global_chain()
    done = Event()

    def write() -> None:
        try:
            while not done.is_set():
                log.append_globally(Kind.CONFIGURED, actor=log.SYSTEM_ACTOR, sentence="One more")
        finally:
            connection.close()

    writer = Thread(target=write)
    writer.start()
    try:
        verdicts = [log.verify(chain) for _ in range(40)]
    finally:
        done.set()
        writer.join()

    assert [verdict.reason for verdict in verdicts if not verdict.is_intact] == []
    assert log.verify(chain).count > verdicts[0].count

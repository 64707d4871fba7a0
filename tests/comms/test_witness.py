"""One old mail is enough to show what was cut from the log after it was sent."""

from __future__ import annotations

from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from comms.models import Delivery
from incidents.evidence import letters, verify
from incidents.models import Checkpoint, Incident
from incidents.terms import NoticeKind
from tests.comms.world import issue
from tests.factories import Crew, cut, make_incident

pytestmark = pytest.mark.django_db(transaction=True)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    try:
        call_command("verify_evidence", *arguments)
        code = 0
    except SystemExit as ended:
        code = int(str(ended.code))
    return code, capsys.readouterr().out


def kept(incident: Incident, crew: Crew, folder: Path) -> list[str]:
    """What a stakeholder has on disk: the whole mail, and its attachment."""
    issue(incident, crew, NoticeKind.A)
    content = bytes(Delivery.objects.filter(notice__incident=incident)[0].content)
    message = message_from_bytes(content, policy=default)
    [attached] = [part for part in message.walk() if part.get_filename() == letters.NAME]
    (folder / "old.eml").write_bytes(content)
    (folder / "checkpoint.txt").write_bytes(attached.get_payload(decode=True))
    return [str(folder / name) for name in ("old.eml", "checkpoint.txt")]


def test_a_tail_that_a_superuser_cut_is_told_by_an_old_mail(
    crew: Crew, tmp_path: Path, capsys: pytest.CaptureFixture[str], settings: Any
) -> None:
    incident = make_incident(crew)
    files = kept(incident, crew, tmp_path)
    size = Checkpoint.objects.get(chain=incident.chain).size
    intact = [run(capsys, incident.reference, "--checkpoint", file)[0] for file in files]
    # Triggers off, the tail and every checkpoint gone, the head moved back, and no witness file left.
    cut(incident, size - 2)
    Checkpoint.objects.all().delete()
    settings.WITNESS_DIR = tmp_path / "elsewhere"

    assert intact == [verify.HOLDS, verify.HOLDS]
    assert run(capsys, incident.reference, "--log-only")[0] == verify.HOLDS
    for file in files:
        code, said = run(capsys, incident.reference, "--checkpoint", file)
        assert code == verify.TRUNCATED
        assert f"Entries {size - 1} to {size} were cut off: {size} entries were signed, {size - 2} are there." in said

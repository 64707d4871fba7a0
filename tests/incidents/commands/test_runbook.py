"""`manage.py runbook export|import|check FILE`."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from incidents.models import RunbookVersion
from incidents.runbook import versions
from tests.incidents.admin.given import configured

pytestmark = pytest.mark.django_db


def run(*arguments: object) -> str:
    said = StringIO()
    call_command("runbook", *map(str, arguments), stdout=said)
    return said.getvalue()


def test_what_is_exported_can_be_checked_and_imported_again(tmp_path: Path) -> None:
    file = tmp_path / "runbook.toml"

    assert "Runbook version 1 written to" in run("export", file)
    assert "is a usable runbook: 13 actions, 4 gates" in run("check", file)
    assert "is the text of version 1: nothing changed." in run("import", file)
    assert file.read_text() == versions.current().source


def test_an_import_publishes_the_next_version_on_record(tmp_path: Path) -> None:
    file = tmp_path / "new.toml"
    first = versions.current()
    file.write_text(first.source.replace("Contain blast radius quickly.", "Contain it."))

    assert "Runbook version 2 published" in run("import", file, "--note", "Shorter")

    assert versions.current().note == "Shorter"
    (entry,) = configured()
    assert (entry.actor["kind"], entry.body["old"], entry.body["new"]) == (
        "system",
        first.sha256,
        versions.current().sha256,
    )
    run("export", file, "--number", "1")
    assert file.read_text() == first.source


@pytest.mark.parametrize("verb", ["check", "import"])
def test_what_is_no_runbook_is_refused_with_the_reason(verb: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    for content, reason in ((b"title = 'x'", "is missing"), (b"\xff\xfe", "utf-8"), (b"a = ", "not valid TOML")):
        file.write_bytes(content)
        with pytest.raises(CommandError, match=reason) as refused:
            run(verb, file)
        assert refused.value.returncode == 1

    with pytest.raises(CommandError, match="No such file"):
        run(verb, tmp_path / "none.toml")
    assert RunbookVersion.objects.count() == 1


def test_a_version_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="There is no version 9: the current one is 1"):
        run("export", tmp_path / "x.toml", "--number", "9")

"""Move the runbook's text in and out: `manage.py runbook export|import|check FILE`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from incidents.models import RunbookVersion
from incidents.runbook import BadRunbook, parse, versions


class Command(BaseCommand):
    help = "Exports the current runbook to a file, imports a file as the next version, or checks a file."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        export = verbs.add_parser("export", help="write a version's text to a file")
        export.add_argument("file", type=Path)
        export.add_argument("--number", type=int, help="the version; the current one without")
        publish = verbs.add_parser("import", help="publish a file as the next version")
        publish.add_argument("file", type=Path)
        publish.add_argument("--note", default="", help="what changed and why")
        verbs.add_parser("check", help="say whether a file is a usable runbook").add_argument("file", type=Path)

    def handle(self, *args: Any, verb: str, file: Path, **options: Any) -> None:
        try:
            said = {"export": _export, "import": _import, "check": _check}[verb](file, options)
        except (BadRunbook, OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{file}: {error}") from error
        self.stdout.write(said)


def _export(file: Path, options: dict[str, Any]) -> str:
    version = versions.current()
    if number := options["number"]:
        found = RunbookVersion.objects.filter(number=number).first()
        if found is None:
            raise CommandError(f"There is no version {number}: the current one is {version.number}.")
        version = found
    file.write_text(version.source, encoding="utf-8")
    return f"Runbook {version} written to {file}, SHA-256 {version.sha256}"


def _import(file: Path, options: dict[str, Any]) -> str:
    before = versions.current()
    note = options["note"] or f"Imported from {file.name}"
    version = versions.publish(file.read_text(encoding="utf-8"), note=note[:200], by=None)
    if version == before:
        return f"{file} is the text of {version}: nothing changed."
    return f"Runbook {version} published, SHA-256 {version.sha256}"


def _check(file: Path, options: dict[str, Any]) -> str:
    book = parse(file.read_text(encoding="utf-8"))
    return f"{file} is a usable runbook: {len(book.actions)} actions, {len(book.gates)} gates, SHA-256 {book.sha256}"

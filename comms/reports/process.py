"""Running the renderer: its own session, a deadline, and an end to all of it when the time is up."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from django.conf import settings

CHILD = Path(__file__).with_name("child.py")
EVIDENCE = "evidence.jsonl"
ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH")


class Stopped(Exception):
    """There is no report; the text says why, for a person."""


@dataclass(frozen=True)
class Rendered:
    content: bytes
    pages: int
    sha256: str


def asset_folders() -> list[str]:
    return [str(settings.BASE_DIR / "static" / name) for name in ("report", "fonts")]


def render(
    html: str,
    *,
    identifier: str,
    seconds: int,
    memory_bytes: int,
    evidence: bytes = b"",
    at: datetime | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Rendered:
    """Render HTML in a child process.

    Args:
        identifier: hex digits that name the document; the same HTML and identifier give the same bytes.
        seconds: of wall time and of processor time.
        evidence: the log as JSON lines, attached to the PDF; nothing is attached when it is empty.
        at: when the attached log was last written to.
        tell: called with what the renderer is doing.

    Raises:
        Stopped: the time or memory was not enough, or the HTML could not be rendered.
    """
    with TemporaryDirectory(prefix="lastgood-report-") as folder:
        source, target = Path(folder) / "report.html", Path(folder) / "report.pdf"
        log = Path(folder) / EVIDENCE
        log.write_bytes(evidence)
        job = {
            "html": str(source),
            "pdf": str(target),
            "assets": asset_folders(),
            "attached": str(log) if evidence else "",
            "at": at.isoformat() if at else "",
            "identifier": identifier,
            "seconds": seconds,
            "memory_bytes": memory_bytes,
        }
        source.write_text(html, "utf-8")
        Path(f"{folder}/job.json").write_text(json.dumps(job), "utf-8")
        done = _run(folder, seconds, tell)
        return Rendered(target.read_bytes(), done["pages"], done["sha256"])


def environment(folder: str) -> dict[str, str]:
    """No secret, and no fonts but those that are served: the same report looks the same on every machine."""
    kept = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
    own = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "TMPDIR"), folder)  # a killed renderer leaves nothing behind
    return kept | own | {"FONTCONFIG_FILE": f"{asset_folders()[0]}/fonts.conf"}


def _run(folder: str, seconds: int, tell: Callable[[str], None]) -> dict[str, Any]:
    child = subprocess.Popen(  # noqa: S603 - our own file, no shell
        [sys.executable, "-I", str(CHILD), f"{folder}/job.json"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env=environment(folder),
        start_new_session=True,
    )
    try:
        assert child.stdout  # noqa: S101 - PIPE
        return _result(_messages(child.stdout, time.monotonic() + seconds), seconds, tell)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()  # type: ignore[union-attr]


def _result(messages: Iterator[dict[str, Any]], seconds: int, tell: Callable[[str], None]) -> dict[str, Any]:
    for message in messages:
        if "problem" in message:
            raise Stopped(message["problem"])
        if "done" in message:
            found: dict[str, Any] = message["done"]
            return found
        tell(message.get("progress", ""))
    raise Stopped(f"The renderer ended without a report: it is stopped after {seconds} s and at its memory limit.")


def _messages(stream: IO[bytes], deadline: float) -> Iterator[dict[str, Any]]:
    """What the child says, until it ends.

    Raises:
        Stopped: the deadline has passed.
    """
    pending = b""
    with selectors.DefaultSelector() as ready:
        ready.register(stream, selectors.EVENT_READ)
        while True:
            if not ready.select(max(0.0, deadline - time.monotonic())):
                raise Stopped("The report took too long and was stopped.")
            chunk = os.read(stream.fileno(), 65_536)
            if not chunk:
                return
            *lines, pending = (pending + chunk).split(b"\n")
            yield from map(json.loads, lines)

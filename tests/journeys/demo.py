"""`manage.py demo` as a person starts it: a process, a data folder, and what of both is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from portal.bootstrap.places import ROOT
from portal.demo.processes import wait_until


def command(data: Path, *options: str) -> list[str]:
    return [sys.executable, "manage.py", "demo", "--data", str(data), *options]


def refused(data: Path, *options: str) -> tuple[int, str]:
    """Exit code and words of a demo that does not start."""
    ended = subprocess.run(command(data, *options), cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    return ended.returncode, ended.stderr


class Demo:
    """One running demo in a session of its own, as a terminal gives it."""

    def __init__(self, data: Path, *options: str) -> None:
        self.data, self.ready_file = data, data.with_name("ready.json")
        assert not self.ready_file.exists()
        self.output = data.with_name("output.txt")
        told = command(data, "--ready-file", str(self.ready_file), *options)
        with self.output.open("w") as output:
            self.process = subprocess.Popen(told, cwd=ROOT, stdout=output, stderr=output, start_new_session=True)

    @property
    def said(self) -> str:
        """What it has told the person at the terminal."""
        return self.output.read_text()

    def ready(self) -> dict[str, Any]:
        """What its ready file says, once it is there."""
        assert wait_until(lambda: self.ready_file.exists() or self.process.poll() is not None, seconds=100)
        assert self.process.poll() is None, self.said
        found: dict[str, Any] = json.loads(self.ready_file.read_text())
        return found

    def press_ctrl_c(self) -> None:
        """What a terminal does: the signal goes to the whole foreground group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def kill(self) -> None:
        """End its supervisor with no chance to tidy up."""
        self.process.kill()
        self.process.wait()

    def left(self) -> list[str]:
        """Every process that works in the data folder, found by its command line or environment."""
        return [found for folder in Path("/proc").glob("[0-9]*") if (found := self._works_here(folder))]

    def _works_here(self, folder: Path) -> str:
        if folder.name == str(os.getpid()):
            return ""
        try:
            told = [(folder / name).read_bytes() for name in ("cmdline", "environ")]
        except OSError:
            return ""
        return told[0].replace(b"\0", b" ").decode() if any(os.fsencode(self.data) in part for part in told) else ""

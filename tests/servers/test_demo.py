"""`manage.py demo` from outside: what it starts ends with it, however it ends, and it takes nobody's place."""

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

from portal.bootstrap.places import ROOT
from portal.demo.processes import wait_until

pytestmark = pytest.mark.faults


class Demo:
    """A demo in a folder of its own, as a person starts it."""

    def __init__(self, data: Path) -> None:
        self.data, self.ready_file = data, data.with_name("ready.json")
        self.process = self.run("--ready-file", str(self.ready_file))

    def run(self, *options: str) -> subprocess.Popen:
        command = [sys.executable, "manage.py", "demo", "--data", str(self.data), *options]
        return subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )

    def wait(self) -> dict:
        assert wait_until(lambda: self.ready_file.exists() or self.process.poll() is not None, seconds=90)
        assert self.process.poll() is None, self.process.communicate()[0]
        return json.loads(self.ready_file.read_text())

    def left(self) -> list[str]:
        """Every process that works in the folder, found by its command line or environment."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if folder.name != str(os.getpid()) and any(
                    os.fsencode(self.data) in (folder / name).read_bytes() for name in ("cmdline", "environ")
                ):
                    found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
        return found


@pytest.fixture
def demo(tmp_path):
    demo = Demo(tmp_path / "demo data")
    yield demo
    demo.process.kill()
    demo.process.communicate()


def test_demo_is_ready_alone_and_ends_with_sigterm(demo):
    ready = demo.wait()

    with urlopen(f"{ready['url']}/readyz") as answer:
        assert answer.status == 200
    with urlopen(f"{ready['mailbox_url']}messages.json") as answer:
        assert json.load(answer) == []
    assert set(ready) == {"url", "mailbox_url", "data", "users"}
    assert all({"email", "password", "role", "api_token"} <= set(user) for user in ready["users"])
    assert stat.S_IMODE(demo.ready_file.stat().st_mode) == 0o600

    assert "already runs" in demo.run().communicate(timeout=30)[0]
    other = [sys.executable, "manage.py", "demo", "--data", str(demo.data.with_name("other"))]
    port = ready["url"].rpartition(":")[2]
    taken = subprocess.run([*other, "--port", port], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert (taken.returncode, f"Port {port} is taken" in taken.stderr) == (1, True)

    demo.process.send_signal(signal.SIGTERM)
    assert demo.process.wait(30) == 0
    assert not demo.ready_file.exists()
    assert wait_until(lambda: not demo.left(), seconds=10), demo.left()


def test_nothing_survives_a_supervisor_that_is_killed(demo):
    demo.wait()
    assert len(demo.left()) >= 9

    demo.process.kill()

    assert wait_until(lambda: not demo.left(), seconds=15), demo.left()


def test_fresh_empties_only_a_folder_of_its_own(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")

    command = [sys.executable, "manage.py", "demo", "--data", str(tmp_path), "--fresh"]
    refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False).stderr

    assert "holds other files" in refused
    assert (tmp_path / "thesis.txt").read_text() == "years of work"

"""What is installed: pinned, hashed, from no named host, and asked about where known faults are kept."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from portal.bootstrap.places import AUDIT, LOCKS, OUTSIDE, ROOT

ALL = [*LOCKS.values(), OUTSIDE, AUDIT]
PACKAGE = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9.-]*)==(?P<version>[^\s;]+)(?: ; [^\\\n]+)? \\\n(?P<hashes>(?:    --hash=.*\n)+)"
)
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
ADDRESS = re.compile(r"://|\bgit\+|^-|--(?!hash)|(?<!\w)@", re.MULTILINE)
BAD = {"id": "GHSA-planted", "affected": [], "schema_version": "1.0.0"}


@pytest.mark.parametrize("lock", ALL, ids=lambda lock: lock.name)
def test_every_package_is_pinned_to_hashes_and_comes_from_no_named_host(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    stated = "".join(f"{line}\n" for line in text.splitlines() if not line.lstrip().startswith("#"))
    found = list(PACKAGE.finditer(stated))

    assert "".join(one.group() for one in found) == stated
    assert len(found) >= 40
    assert len({(one["name"], one["version"]) for one in found}) == len(found)
    assert all(HASH.fullmatch(line) for one in found for line in one["hashes"].splitlines())
    assert ADDRESS.search(text.replace("--hash=", "")) is None


def test_whatever_the_project_asks_for_is_locked() -> None:
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project, groups = asked["project"], asked["dependency-groups"]
    extras = project["optional-dependencies"]
    wanted = {
        LOCKS["run"]: project["dependencies"] + extras["demo"],
        LOCKS["test"]: project["dependencies"] + extras["demo"] + extras["test"],
        OUTSIDE: groups["outside"],
        AUDIT: groups["audit"],
    }

    assert {lock.name: sorted(_names(asks) - _locked(lock)) for lock, asks in wanted.items()} == {
        lock.name: [] for lock in ALL
    }


def _names(asks: list[str]) -> set[str]:
    return {re.split(r"[\[~<>=!; ]", one, maxsplit=1)[0] for one in asks}


def _locked(lock: Path) -> set[str]:
    return {one["name"] for one in PACKAGE.finditer(lock.read_text(encoding="utf-8"))}


# What is known of them ------------------------------------------------------------------------------------------------


@contextmanager
def a_service(answer: Callable[[dict[str, Any]], bytes]) -> Iterator[str]:
    """A vulnerability service of the OSV shape. Yields its address."""

    class Asked(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200 if content else 503)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Asked) as server:
        serving = Thread(target=server.serve_forever)
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1/query"
        finally:
            server.shutdown()
            serving.join()


def audit(url: str, *options: str) -> tuple[int, str]:
    asked = [sys.executable, "manage.py", "audit", "-s", "osv", "--osv-url", url, *options]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False, timeout=110)
    return done.returncode, done.stdout


def knows(asked: dict[str, Any]) -> bytes:
    """Of one package something is known, of all others nothing."""
    is_bad = (asked["package"]["name"], asked["version"]) == ("planted", "1.0")
    return json.dumps({"vulns": [BAD]} if is_bad else {}).encode()


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    lock = tmp_path / "planted.lock"
    pins = [f"{name}==1.0 --hash=sha256:{sha256(name.encode()).hexdigest()}\n" for name in ("fine", "planted")]
    lock.write_text("".join(pins))
    return lock


@pytest.mark.thorough
def test_a_planted_pin_fails_the_audit(planted: Path) -> None:
    with a_service(knows) as url:
        code, said = audit(url, "--lock", str(planted))

    assert (code, said) == (1, "planted.lock: planted 1.0: GHSA-planted, fixed in no version yet\n")


@pytest.mark.thorough
def test_a_service_that_does_not_answer_fails_it_as_well(planted: Path) -> None:
    with a_service(lambda asked: b"") as url:
        code, said = audit(url, "--lock", str(planted))

    assert code == 2
    assert said.startswith("planted.lock: nothing could be asked for: ")


def test_what_cannot_even_be_asked_is_no_vulnerability() -> None:
    code, said = audit("http://127.0.0.1:9/", "--lock")

    assert code == 2
    assert said.startswith("nothing could be asked for: ")


@pytest.mark.thorough
def test_each_lock_file_is_asked_about() -> None:
    asked: list[str] = []

    def none_known(what: dict[str, Any]) -> bytes:
        asked.append(what["package"]["name"])
        return b"{}"

    with a_service(none_known) as url:
        code, said = audit(url)

    assert code == 0, said
    assert {"django", "pytest", "ansible-core", "pip-audit"} <= set(asked)
    assert [line.split(":")[0] for line in said.splitlines()] == [lock.name for lock in ALL]


@pytest.mark.thorough
def test_the_bill_of_materials_names_each_package_with_its_hashes() -> None:
    done = subprocess.run([sys.executable, "manage.py", "sbom"], cwd=ROOT, capture_output=True, check=True, timeout=110)
    bill = json.loads(done.stdout)

    assert bill["metadata"]["component"]["name"] == "lastgood"
    assert {part["name"] for part in bill["components"]} == _locked(LOCKS["run"])
    assert all(part["externalReferences"][0]["hashes"] for part in bill["components"])

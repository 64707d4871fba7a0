"""`manage.py demo` from outside: what it starts ends with it, however it ends, and it takes nobody's place."""

from __future__ import annotations

import json
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from incidents.terms import Role
from portal.demo import ports
from portal.demo.people import PASSWORD, PEOPLE
from portal.demo.processes import wait_until
from tests.journeys.demo import Demo, refused

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240)]
QUICKLY = 15


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all these demos: only the first start has to prepare it. Its name has a space, as names have."""
    return tmp_path_factory.mktemp("demo") / "demo data"


@pytest.fixture
def start(data: Path) -> Iterator[Callable[..., Demo]]:
    started: list[Demo] = []

    def start(*options: str) -> Demo:
        started.append(Demo(data, *options))
        return started[-1]

    yield start
    for demo in started:
        demo.kill()
    assert wait_until(lambda: not any(demo.left() for demo in started), seconds=QUICKLY), started[0].left()


def read(url: str, token: str = "") -> Any:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with urlopen(Request(url, headers=headers), timeout=10) as answer:
        return json.load(answer)


def test_the_ready_file_tells_a_program_all_it_needs(start: Callable[..., Demo], data: Path) -> None:
    port = ports.any_free()
    demo = start("--port", str(port))

    ready = demo.ready()

    assert set(ready) == {"url", "mailbox_url", "data", "users"}
    assert (ready["url"], ready["data"]) == (f"http://127.0.0.1:{port}", str(data))
    assert [user["role"] for user in ready["users"]] == [str(person.role) for person in PEOPLE]
    assert {*Role.values, "deputy", "auditor", "outsider", "admin"} == {user["role"] for user in ready["users"]}
    assert all(user["password"] == PASSWORD and "@" in user["email"] for user in ready["users"])
    assert stat.S_IMODE(demo.ready_file.stat().st_mode) == 0o600
    assert read(f"{ready['url']}/readyz")["ready"] is True
    assert read(f"{ready['mailbox_url']}messages.json") == []
    for user in ready["users"]:
        assert read(f"{ready['url']}/api/v1/freeze/portarium", user["api_token"])["product"] == "portarium"


def test_neither_its_folder_nor_its_port_is_shared(start: Callable[..., Demo], data: Path) -> None:
    port = start().ready()["url"].rpartition(":")[2]

    code, words = refused(data)
    assert (code, words) == (1, f"A demo already runs from {data}. Stop it, or name another folder with --data.\n")
    code, words = refused(data.with_name("other"), "--port", port)
    assert (code, words) == (
        1,
        f"Port {port} is taken. Name another one, or leave --port out and a free one is chosen.\n",
    )


def test_a_port_that_another_program_has_is_taken_too(tmp_path: Path) -> None:
    with socket.create_server((ports.HOST, 0)) as other:
        port = other.getsockname()[1]

        code, words = refused(tmp_path / "data", "--port", str(port))

    assert (code, words.partition(".")[0]) == (1, f"Port {port} is taken")


@pytest.mark.parametrize("end", [Demo.press_ctrl_c, lambda demo: demo.process.terminate()], ids=["Ctrl-C", "SIGTERM"])
def test_it_ends_at_once_and_with_everything_it_started(
    start: Callable[..., Demo], end: Callable[[Demo], None]
) -> None:
    demo = start()
    demo.ready()

    end(demo)

    assert demo.process.wait(QUICKLY) == 0
    assert demo.said.rstrip().endswith("Stopped.")
    assert not demo.ready_file.exists()
    assert wait_until(lambda: not demo.left(), seconds=5), demo.left()


def test_a_second_start_is_warm_and_knows_everything_from_the_first(start: Callable[..., Demo], data: Path) -> None:
    port = str(ports.any_free())
    first = start("--port", port)
    users = first.ready()["users"]
    prepared = (data / "logs" / "prepare.log").stat().st_mtime_ns
    first.press_ctrl_c()
    first.process.wait(QUICKLY)

    again = start("--port", port).ready()

    assert again["users"] == users
    assert (data / "logs" / "prepare.log").stat().st_mtime_ns == prepared


def test_nothing_survives_a_supervisor_that_is_killed(start: Callable[..., Demo]) -> None:
    demo = start()
    port = int(demo.ready()["url"].rpartition(":")[2])
    assert len(demo.left()) >= 9

    demo.kill()

    assert wait_until(lambda: not demo.left(), seconds=QUICKLY), demo.left()
    assert not demo.ready_file.exists()
    with socket.create_server((ports.HOST, port)) as free:
        assert free.getsockname()[1] == port
    assert start("--port", str(port)).ready()["url"].endswith(str(port))


def test_fresh_empties_only_a_folder_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")

    code, words = refused(tmp_path, "--fresh")

    assert (code, words) == (1, f"{tmp_path} holds other files. Name an empty or a new folder with --data.\n")
    assert (tmp_path / "thesis.txt").read_text() == "years of work"

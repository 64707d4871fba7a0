"""A server that speaks the documented shapes of one system's API, and can be told to spoil single answers."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from typing import Any

from tests.incidents.connectors.servers import Answer, Heard, Receiver

TOKEN = "t0ken-Canary/Value+42"
Spoiling = Callable[["Stub", Heard], "Answer | None"]


def said(body: Any, status: int = 200, **headers: str) -> Answer:
    return Answer(status, {"Content-Type": "application/json", **headers}, json.dumps(body).encode())


def cut(stub: Stub, heard: Heard) -> Answer | None:
    """Take the request in, do what it asks, and cut the connection before a byte of the answer."""
    stub.routed(heard)
    return None


def hang(stub: Stub, heard: Heard) -> Answer | None:
    """Take the request in, do what it asks, and say nothing until the test ends."""
    stub.routed(heard)
    stub.over.wait(30)
    return None


def lost(stub: Stub, heard: Heard) -> Answer | None:
    """Cut the connection and do nothing."""
    return None


def instead(answer: Answer) -> Spoiling:
    return lambda stub, heard: answer


class Stub(Receiver):
    """Routes are methods listed by method and path; state is plain lists that a test may look at and change."""

    routes: tuple[tuple[str, str, str], ...] = ()

    def __init__(self) -> None:
        self.over = threading.Event()
        self.spoiled: dict[str, Spoiling] = {}
        super().__init__()
        self.url = f"http://127.0.0.1:{self.port}"

    def reply(self, heard: Heard) -> Answer | None:
        for place, spoil in self.spoiled.items():
            if place in f"{heard.method} {heard.path}":
                return spoil(self, heard)
        return self.routed(heard)

    def routed(self, heard: Heard) -> Answer:
        if not self.knows(heard):
            return said({"message": "Bad credentials"}, 401)
        path = heard.path.partition("?")[0]
        for method, pattern, name in self.routes:
            if method == heard.method and (found := re.fullmatch(pattern, path)):
                answer: Answer = getattr(self, name)(heard, *found.groups())
                return answer
        return said({"message": "Not Found"}, 404)

    def knows(self, heard: Heard) -> bool:
        """Tell whether the request carries the token."""
        return heard.headers.get("authorization") == f"Bearer {TOKEN}"

    def sent(self, method: str) -> list[Any]:
        """The JSON bodies of one method, in order."""
        return [json.loads(heard.body) for heard in self.heard if heard.method == method]

    def close(self) -> None:
        self.over.set()
        super().close()

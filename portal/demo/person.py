"""One person of the walkthrough, who speaks to the running portal over HTTP and nothing else."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

ANSWER_SECONDS = 30


class Unexpected(Exception):
    """The portal answered with something else than the step needs."""


class Person:
    """Calls the API with one person's token."""

    def __init__(self, url: str, user: dict[str, Any]) -> None:
        self.api = f"{url}/api/v1"
        self.email: str = user["email"]
        self.role: str = user["role"]
        self._token: str = user["api_token"]

    def get(self, path: str) -> Any:
        return json.loads(self.fetch(path)[1])

    def post(self, path: str, expect: int | tuple[int, ...] = (200, 201, 202), **body: Any) -> Any:
        """Post JSON; anything but an expected status is an error that says what came back."""
        content = json.dumps(body).encode()
        return json.loads(self._call("POST", path, content, "application/json", expect)[1] or b"null")

    def upload(self, path: str, name: str, content: bytes) -> Any:
        """Post one file as a browser would."""
        mark = uuid.uuid4().hex
        head = f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        body = f"{head}Content-Type: text/plain\r\n\r\n".encode() + content + f"\r\n--{mark}--\r\n".encode()
        return json.loads(self._call("POST", path, body, f"multipart/form-data; boundary={mark}", (201,))[1])

    def fetch(self, path: str, expect: int | tuple[int, ...] = 200) -> tuple[int, bytes]:
        return self._call("GET", path, None, "", expect)

    def _call(
        self, method: str, path: str, content: bytes | None, kind: str, expect: int | tuple[int, ...]
    ) -> tuple[int, bytes]:
        headers = {"Authorization": f"Bearer {self._token}"} | ({"Content-Type": kind} if kind else {})
        try:
            with urlopen(Request(self.api + path, content, headers, method=method), timeout=ANSWER_SECONDS) as answer:  # noqa: S310 - the demo's own address
                status, text = answer.status, answer.read()
        except HTTPError as error:
            status, text = error.code, error.read()
        if status not in (expect if isinstance(expect, tuple) else (expect,)):
            raise Unexpected(f"{method} {path} answered {status}: {text.decode(errors='replace')[:600]}")
        return status, text


def until(what: str, question: Callable[[], Any], seconds: float = 60) -> Any:
    """Ask again until the answer is true; say what was waited for when the time is over."""
    deadline = time.monotonic() + seconds
    while not (found := question()):
        if time.monotonic() > deadline:
            raise Unexpected(f"Waited {seconds:.0f} s for {what}.")
        time.sleep(0.2)
    return found

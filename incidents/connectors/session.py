"""A conversation with one system's HTTP API: every call through `outbound`, no secret in a sentence."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from incidents.connectors import outbound, output
from incidents.connectors.base import Limits
from incidents.connectors.masking import mask
from incidents.connectors.outbound import Reply, Request
from incidents.connectors.watch import Watch

LONGEST_QUOTE = 300
# Where the systems that are spoken to here put the words for people.
SPOKEN = ("message", "error", "detail", "error_description")


class Unclear(Exception):
    """An answer came that does not say what was asked for. The message is a sentence."""

    def __init__(self, reason: str, sentence: str, status: int = 0) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.status = status


@dataclass(frozen=True)
class Call:
    """One request of an API, relative to its base. `form` is sent as a form, `body` as JSON."""

    method: str
    path: str
    body: Any = None
    form: Mapping[str, str] | None = None

    def encoded(self) -> tuple[dict[str, str], bytes]:
        if self.form is not None:
            return {"Content-Type": "application/x-www-form-urlencoded"}, urlencode(self.form).encode()
        if self.body is not None:
            return {"Content-Type": "application/json"}, json.dumps(self.body).encode()
        return {}, b""


@dataclass(frozen=True)
class Session:
    """Who is spoken to, as whom, within which limits."""

    base: str
    headers: Mapping[str, str]
    limits: Limits
    watch: Watch
    secrets: Sequence[str] = field(repr=False, default=())

    def send(self, call: Call) -> Reply:
        """Send one request. Raises what `outbound.exchange` raises."""
        more, body = call.encoded()
        headers = {"Accept": "application/json"} | dict(self.headers) | more
        return outbound.exchange(Request(call.method, self.base + call.path, headers, body), self.limits, self.watch)

    def ask(self, path: str) -> Reply:
        return self.send(Call("GET", path))

    def get(self, path: str) -> Any:
        """What the system says at this path, as JSON. Raises `Unclear` where it answers anything else."""
        reply = self.ask(path)
        if reply.status != 200:
            raise Unclear("status", f"status {reply.status} came back{self.quoted(reply)}", reply.status)
        return self.read(reply)

    def text(self, path: str) -> bytes:
        """A text where the system gives one; empty where it does not. A redirect is not followed."""
        reply = self.ask(path)
        return reply.body if reply.status == 200 else b""

    def read(self, reply: Reply) -> Any:
        """The JSON of an answer. Raises `Unclear`."""
        if reply.is_cut:
            raise Unclear("too_large", f"the answer is larger than {self.limits.max_body} bytes", reply.status)
        try:
            return json.loads(reply.body)
        except (ValueError, RecursionError) as error:
            raise Unclear("no_json", "the answer is no JSON", reply.status) from error

    def quoted(self, reply: Reply) -> str:
        """` (what the system said)`, masked and short; nothing where it said nothing in words."""
        try:
            found = json.loads(reply.body)
        except (ValueError, RecursionError):
            return ""
        words = next((found[key] for key in SPOKEN if found.get(key)), "") if isinstance(found, dict) else ""
        said = self.clean(words if isinstance(words, str) else json.dumps(words))
        return f" ({said})" if said else ""

    def clean(self, text: str) -> str:
        """A text of the system as it may stand in a sentence."""
        shown = output.clean(mask(text, self.secrets).encode("utf-8", "replace"))
        return " ".join(shown.split())[:LONGEST_QUOTE]


def segment(text: str) -> str:
    """One part of a path, whatever characters it has."""
    return quote(text, safe="")


def field_of(value: Any, *names: str | int) -> Any:
    """What stands under these names in nested JSON; None where the way ends."""
    for name in names:
        if isinstance(value, dict):
            value = value.get(str(name))
        elif isinstance(value, list) and isinstance(name, int) and name < len(value):
            value = value[name]
        else:
            return None
    return value


def rows(value: Any) -> list[dict[str, Any]]:
    """The objects of a list, as far as it is one."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []

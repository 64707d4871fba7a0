"""Credentials that somebody typed into an address: refused where they are typed, masked wherever older ones are shown.

An address is shown to whoever approves and ends up in logs; a secret is named, never typed. What looks like a word of
the path is no credential here, as nothing tells it from an ordinary one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

MASKED = "[masked]"
INSTEAD = {
    "webhook": "A webhook's secret only signs: let a command read it from its environment, or a relay in front add it.",
    "manual": "Leave it out: whoever acts by hand has access of their own.",
    "command": "Name the variable that holds it as the secret: the command reads it as LASTGOOD_SECRET.",
    "probe": "Name the variable that holds it as the secret: it goes out as a bearer token.",
}
_OF_SYSTEMS = "Name the variable that holds it as the secret, or let the system read it from secrets of its own."
_ADDRESS = re.compile(r"[A-Za-z0-9+.-]{0,20}://\S*")
_PERSON = re.compile(r"(?P<scheme>[A-Za-z0-9+.-]{0,20})://(?P<person>[^/?#\s]*)@")
_PARAMETER = re.compile(r"(?<=[?&;#])([^=?&;#\s]+)=([^&;#\s]+)")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SECRET = {
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "passkey",
    "pwd",
    "pw",
    "signature",
    "credential",
    "credentials",
    "authorization",
    "bearer",
    "jwt",
    "apikey",
    "appkey",
    "accesskey",
    "privatekey",
    "secretkey",
    "authkey",
    "apitoken",
    "accesstoken",
    "authtoken",
    "clientsecret",
    "sessionid",
    "jsessionid",
    "phpsessid",
}
_AMBIGUOUS = {"auth", "code", "hmac", "key", "pass", "pat", "sas", "session", "sid", "sig"}
_SHORTEST = 16
_PLACES = re.compile(r"(?:\{[^{}]*\})+")


def found_in(value: Any, kind: str = "") -> list[str]:
    """A sentence for each credential in the addresses of some settings.

    Args:
        kind: of the connector, which says where the credential belongs instead.
    """
    told = dict.fromkeys(sentence for text in _texts(value) for sentence in _told(text))
    return [f"{sentence} {INSTEAD.get(kind, _OF_SYSTEMS)}" for sentence in told]


def masked(value: Any) -> Any:
    """The same settings without them."""
    if isinstance(value, str):
        return _ADDRESS.sub(_without, value)
    if isinstance(value, Mapping):
        return {key: masked(inner) for key, inner in value.items()}
    return [masked(inner) for inner in value] if isinstance(value, list) else value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(inner)


def _told(text: str) -> Iterator[str]:
    for address in _ADDRESS.finditer(text):
        if any(map(_is_access, _PERSON.finditer(address[0]))):
            yield "The address holds a user name or password."
        for name, value in _PARAMETER.findall(address[0]):
            if _is_secret(name, value):
                yield f"“{name[:60]}” in the address looks like a secret."


def _without(address: re.Match[str]) -> str:
    return _PARAMETER.sub(_hidden, _PERSON.sub(_nobody, address[0]))


def _nobody(found: re.Match[str]) -> str:
    return f"{found['scheme']}://{MASKED}@" if _is_access(found) else found[0]


def _hidden(found: re.Match[str]) -> str:
    return f"{found[1]}={MASKED}" if _is_secret(found[1], found[2]) else found[0]


def _is_access(found: re.Match[str]) -> bool:
    """A bare name is one on the web alone, where tokens stand so; `ssh://git@` only says how to knock."""
    _, _, password = found["person"].partition(":")
    is_web = found["scheme"].lower().rpartition("+")[2] in ("http", "https")
    return bool(password) or (is_web and bool(found["person"])) or found["person"] == MASKED


def _is_secret(name: str, value: str) -> bool:
    """By the parts of the parameter's name. A value made of the facts of a job, such as `{target}`, is none."""
    parts = [part.lower() for part in _PART.findall(unquote(name))]
    if not parts or _PLACES.fullmatch(value):
        return False
    if parts[-1] in _SECRET or "".join(parts[-2:]) in _SECRET or (parts[-1] == "key" and len(parts) > 1):
        return True
    return (parts[-1] in _AMBIGUOUS or not _SECRET.isdisjoint(parts)) and _looks_secret(unquote(value))


def _looks_secret(value: str) -> bool:
    has_both = re.search(r"[A-Za-z]", value) and re.search(r"[0-9]", value)
    return value == MASKED or bool(has_both and len(value) >= _SHORTEST)

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
INSTEAD = "Name the variable that holds it as the secret instead."
_PERSON = re.compile(r"(?<=://)[^/?#\s]*@")
_PARAMETER = re.compile(r"(?<=[?&;#])([^=?&;#\s]+)=([^&;#\s]+)")
_NAMES = re.compile(
    r"token|secret|passw|passphrase|pwd|apikey|accesskey|privatekey|signature|credential|authorization|bearer|jwt"
)
_WHOLE_NAMES = {"auth", "code", "key", "pass", "pw", "sas", "sig"}
_PLACES = re.compile(r"(?:\{[^{}]*\})+")


def found_in(value: Any) -> list[str]:
    """A sentence for each credential in the addresses of some settings."""
    return list(dict.fromkeys(sentence for text in _texts(value) for sentence in _told(text)))


def masked(value: Any) -> Any:
    """The same settings without them."""
    if isinstance(value, str):
        return _PARAMETER.sub(_hidden, _PERSON.sub(f"{MASKED}@", value))
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
    if _PERSON.search(text):
        yield f"The address holds a user name or password. {INSTEAD}"
    for name, value in _PARAMETER.findall(text):
        if _is_secret(name, value):
            yield f"“{name[:60]}” in the address looks like a secret. {INSTEAD}"


def _hidden(found: re.Match[str]) -> str:
    return f"{found[1]}={MASKED}" if _is_secret(found[1], found[2]) else found[0]


def _is_secret(name: str, value: str) -> bool:
    """By the parameter's name. A value made of the facts of a job, such as `{target}`, is none."""
    word = re.sub(r"[^a-z0-9]", "", unquote(name).lower())
    return bool(_NAMES.search(word) or word in _WHOLE_NAMES) and not _PLACES.fullmatch(value)

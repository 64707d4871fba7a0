"""Hostile bodies for one write route: fields mutated one by one and by chance, and bodies that are none."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_from_bytes

from tests.hostile import words

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
BOUNDARY = "hostile"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
UNKNOWN = [
    "id",
    "pk",
    "phase",
    "state",
    "by",
    "actor",
    "is_staff",
    "__class__",
    "csrfmiddlewaretoken",
    "a\x00b",
    "[]",
    "",
]

# What one engine holds otherwise than the other; what is no body at all; all else.
OF_ENGINE, WIRE, PLAIN = "of engine", "wire", "plain"
Pairs = list[tuple[str, Any]]


@dataclass(frozen=True)
class File:
    """A file of a form."""

    name: str
    content: bytes
    media: str = "text/plain"


@dataclass(frozen=True)
class Body:
    """What is sent."""

    label: str
    media: str
    content: bytes
    kind: str = "plain"


@dataclass(frozen=True)
class Asked:
    """What a route takes: a form's fields with values that it would accept, or a JSON object; and its files."""

    speaks: str
    good: dict[str, Any] = field(default_factory=dict)
    files: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        return list(self.good)


def hostile(asked: Asked, number: int, chance: random.Random) -> list[Body]:
    """At least so many bodies, no two alike: by hand, field by field, then by chance."""
    found: dict[tuple[str, bytes], Body] = {}
    of_fields = _json_bodies if asked.speaks == JSON else _form_bodies
    for body in _by_hand(asked):
        found.setdefault((body.media, body.content), body)
    for body in of_fields(asked, chance):
        found.setdefault((body.media, body.content), body)
        if len(found) >= number:
            break
    return list(found.values())


def picked(bodies: list[Body], number: int, chance: random.Random) -> list[Body]:
    """So many for the whole way: half of them speak of an engine, a quarter of the wire, the rest come by chance."""
    found: list[Body] = []
    for kind, share in ((OF_ENGINE, number // 2), (WIRE, number // 4), (PLAIN, number)):
        of_kind = [body for body in bodies if body.kind == kind]
        found += chance.sample(of_kind, min(len(of_kind), share, number - len(found)))
    return found


# Bodies that are none ------------------------------------------------------------------------------------------------

NO_JSON: list[bytes] = [
    b"",
    b" ",
    b"null",
    b"[]",
    b"0",
    b'"x"',
    b"{",
    b"}",
    b"{}x",
    b"{'a': 1}",
    b'{"a": 1,}',
    b'{"a": NaN}',
    b'{"a": -Infinity}',
    b'{"a": 1e999}',
    b'{"a": 1, "a": 2}',
    b'{"a": "\xff"}',
    b'{"a": "\xed\xa0\x80"}',
    b"\xef\xbb\xbf{}",
    b"\xff\xfe{\x00}\x00",
    b"\x00",
    b'{"a": "\x00"}',
    b'{"a": ' + b"[" * 100_000,
    b"[" * 20_000 + b"]" * 20_000,
    b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    b'{"a": ' + b"9" * 5_000 + b"}",
    b'{"a": "' + b"x" * 2_000_000 + b'"}',
    b'{"a": "' + b"x" * 10_000_000 + b'"}',
    b"{" + b",".join(b'"k%d":1' % n for n in range(20_000)) + b"}",
    b"/* */ {}",
    b'{"a": 01}',
    b'{"a": .5}',
    b'{"a": +1}',
    b'{"a": "\\x41"}',
    b'{"a": "\\ud800"}',
    b'{"\\u0000": 1}',
    b"\x1f\x8b\x08\x00\x00",
    b"<xml/>",
    b"a=1&b=2",
]
NO_FORM: list[bytes] = [
    b"",
    b"&&&&",
    b"=",
    b"%",
    b"%zz=%zz",
    b"a" * 100_000,
    b"a=%00",
    b"a=%ed%a0%80",
    b"a=\xff\xfe",
    b"a=1;b=2",
    b"&".join(b"f%d=1" % number for number in range(1_200)),
    b"x=" + b"y" * 2_700_000,
    b"x=" + b"y" * 10_000_000,
    b"\x00" * 100,
    b"{}",
    b"__proto__[x]=1",
]
_LINE = b"\r\n"
_HEAD = b'--hostile\r\nContent-Disposition: form-data; name="a"'
NO_MULTIPART: list[bytes] = [
    b"",
    b"--",
    b"--hostile",
    b"--hostile--",
    b"--hostile--\r\n",
    b"--hostile\r\nContent-Disp",
    _HEAD,
    _HEAD + _LINE * 2,
    _HEAD + _LINE * 2 + b"x",
    _HEAD + _LINE * 2 + b"x\r\n--other--\r\n",
    b"--hostile\r\n\r\nno header\r\n--hostile--\r\n",
    b"--hostile\r\nContent-Disposition: form-data\r\n\r\nx\r\n--hostile--\r\n",
    b'--hostile\r\nContent-Disposition: form-data; name=""\r\n\r\nx\r\n--hostile--\r\n',
    _HEAD + b"\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!!\r\n--hostile--\r\n",
    _HEAD + b'; filename=""\r\n\r\nx\r\n--hostile--\r\n',
    _HEAD + b'; filename="a\x00b"\r\n\r\nx\r\n--hostile--\r\n',
    _HEAD + b"; filename*=utf-8''%00%ff\r\n\r\nx\r\n--hostile--\r\n",
    _HEAD + b"; filename*=nonsense'x'y\r\n\r\nx\r\n--hostile--\r\n",
    _HEAD + b"\r\nContent-Type: text/plain; charset=nonsense\r\n\r\nx\r\n--hostile--\r\n",
    _HEAD + b"\r\nContent-Type: text/plain; charset=utf-16\r\n\r\nx\r\n--hostile--\r\n",
    _HEAD + b"\r\nX: " + b"y" * 5_000 + b"\r\n\r\nx\r\n--hostile--\r\n",
    (_HEAD + b"\r\n\r\nx\r\n") * 1_200 + b"--hostile--\r\n",
    (_HEAD + b'; filename="x"\r\n\r\nx\r\n') * 150 + b"--hostile--\r\n",
    b"preamble\r\n" + _HEAD + b"\r\n\r\n\xff\xfe\r\n--hostile--\r\nepilogue",
]
MEDIA = [
    "",
    "nonsense",
    "text/plain",
    "text/html; charset=utf-7",
    "application/xml",
    "application/json; charset=utf-16",
    "application/json; charset=nonsense",
    "application/x-www-form-urlencoded; charset=utf-16",
    "application/x-www-form-urlencoded; charset=nonsense",
    "multipart/form-data",
    "multipart/form-data; boundary=",
    "multipart/form-data; boundary=" + "b" * 300,
    "multipart/form-data; boundary=\u00e9",
    "multipart/mixed; boundary=hostile",
    "application/octet-stream",
    JSON,
    FORM,
    MULTIPART,
]


def _by_hand(asked: Asked) -> Iterator[Body]:
    plain = b"a=1" if asked.speaks != JSON else b'{"a": 1}'
    sets = [(JSON, NO_JSON), (MULTIPART, NO_MULTIPART), (FORM, NO_FORM)]
    spoken = [(media, raws) for media, raws in sets if media == JSON] if asked.speaks == JSON else sets[1:]
    for media, raws in sets if asked.files else spoken:
        for place, raw in enumerate(raws):
            yield Body(f"raw {media.partition(';')[0]} {place}", media, raw, kind=WIRE)
    for media in MEDIA:
        yield Body(f"as {media[:60]}", media, plain, kind=WIRE)
    for encode in (urlencoded, multipart) if asked.speaks != JSON else (_object,):
        whole = [
            (name, value) for name, value in asked.good.items() if encode is not _object or name not in asked.files
        ]
        yield Body("as asked, with unknown fields", *encode(whole + [(name, "x") for name in UNKNOWN]), kind=WIRE)
        yield Body("every field twice", *encode(whole * 2), kind=WIRE)


# Forms ---------------------------------------------------------------------------------------------------------------


def _form_bodies(asked: Asked, chance: random.Random) -> Iterator[Body]:
    encoders = [multipart] if asked.files else [urlencoded, multipart]
    pairs = list(asked.good.items())
    for name in asked.names:
        for place, value in enumerate(words.TEXTS):
            encode = encoders[place % len(encoders)]
            yield Body(
                f"{name}: {value[:40]!a}", *encode(_with(pairs, name, value)), kind=_kind(place < len(words.OF_ENGINES))
            )
        yield Body(f"{name} missing", *encoders[0](_without(pairs, name)))
        yield Body(f"{name} twice", *encoders[0]([*pairs, (name, "x"), (name, "")]))
        yield Body(f"{name} as a file", *multipart(_with(pairs, name, File("a\u202e.html", b"<script>"))))
    while True:
        sent = list(pairs)
        names = chance.sample(asked.names, chance.randint(1, min(3, len(pairs)))) if pairs else []
        for name in names:
            sent = _mutated(sent, name, chance)
        if not names or chance.random() < 0.2:
            sent.append((chance.choice(UNKNOWN), words.by_chance(chance)))
        chance.shuffle(sent)
        yield Body(f"by chance: {', '.join(names) or 'unknown fields'}", *chance.choice(encoders)(sent))


def _mutated(pairs: Pairs, name: str, chance: random.Random) -> Pairs:
    turn = chance.random()
    if turn < 0.08:
        return _without(pairs, name)
    if turn < 0.16:
        return [*pairs, (name, words.by_chance(chance))]
    value = words.by_chance(chance)
    return _with(pairs, name, File(value[:300], value.encode("utf-8", "replace")) if turn < 0.2 else value)


def _with(pairs: Pairs, name: str, value: Any) -> Pairs:
    return [(key, value if key == name else old) for key, old in pairs]


def _without(pairs: Pairs, name: str) -> Pairs:
    return [(key, old) for key, old in pairs if key != name]


def _raw(value: Any) -> bytes:
    return str(value).encode("utf-8", "surrogatepass")


def urlencoded(pairs: Pairs) -> tuple[str, bytes]:
    parts = [
        f"{quote_from_bytes(_raw(name))}={quote_from_bytes(_raw(one.name if isinstance(one, File) else one))}"
        for name, value in pairs
        for one in (value if isinstance(value, list) else [value])
    ]
    return FORM, "&".join(parts).encode()


def multipart(pairs: Pairs) -> tuple[str, bytes]:
    out = []
    for name, value in pairs:
        for one in value if isinstance(value, list) else [value]:
            head = b'--hostile\r\nContent-Disposition: form-data; name="' + _quoted(name) + b'"'
            if isinstance(one, File):
                head += b'; filename="' + _quoted(one.name) + b'"\r\nContent-Type: ' + one.media.encode()
            out.append(head + b"\r\n\r\n" + (one.content if isinstance(one, File) else _raw(one)) + b"\r\n")
    return MULTIPART, b"".join(out) + b"--hostile--\r\n"


def _quoted(text: str) -> bytes:
    return _raw(text).replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\r", b"%0D").replace(b"\n", b"%0A")


# JSON ----------------------------------------------------------------------------------------------------------------


def _json_bodies(asked: Asked, chance: random.Random) -> Iterator[Body]:
    if asked.files:
        yield from _form_bodies(asked, chance)
        return
    pairs = list(asked.good.items())
    for name in asked.names:
        for place, value in enumerate([*words.TEXTS, *words.OTHERS]):
            of_engine = place < len(words.OF_ENGINES) or value in (2**63, 10**30)
            yield Body(f"{name}: {_short(value)}", *_object(_with(pairs, name, value)), kind=_kind(of_engine))
        yield Body(f"{name} missing", *_object(_without(pairs, name)))
        yield Body(f"{name} given twice", *_object([*pairs, (name, "x")]))
    while True:
        sent = list(pairs)
        names = chance.sample(asked.names, chance.randint(1, min(3, len(pairs)))) if pairs else []
        for name in names:
            sent = _with(sent, name, _value_by_chance(chance))
        if not names or chance.random() < 0.2:
            sent.append((chance.choice(UNKNOWN), _value_by_chance(chance)))
        yield Body(f"by chance: {', '.join(names) or 'unknown fields'}", *_object(sent))


def _value_by_chance(chance: random.Random, depth: int = 0) -> Any:
    turn = chance.random()
    if turn < 0.55 or depth > 3:
        return words.by_chance(chance)
    if turn < 0.8:
        return chance.choice(words.OTHERS[:20])
    inner = [_value_by_chance(chance, depth + 1) for _ in range(chance.randint(0, 4))]
    return inner if turn < 0.9 else {words.by_chance(chance)[:20]: value for value in inner}


def _object(pairs: Pairs) -> tuple[str, bytes]:
    """One JSON object, written by hand so that a name can stand in it twice."""
    return JSON, ("{" + ",".join(f"{json.dumps(name)}:{json.dumps(value)}" for name, value in pairs) + "}").encode()


def _kind(of_engine: bool) -> str:
    return OF_ENGINE if of_engine else PLAIN


def _short(value: Any) -> str:
    return ascii(value)[:40]

"""Hostile values: what nobody would type into a field, by hand and by chance."""

from __future__ import annotations

import os
import random
from typing import Any

SEED = "LASTGOOD_HOSTILE_SEED"
USUAL = 110412


def seed() -> int:
    """What chance follows: the same each time, so that a change is judged by itself, unless another is given."""
    return int(os.environ.get(SEED, USUAL))


# What one of the two databases cannot hold, or holds otherwise than the other; and times that no year holds in UTC.
OF_ENGINES = [
    "a\x00b",
    "a\udfffb",
    "9223372036854775808",
    "9999-12-31T23:59",
    "9999-12-31T23:59:59.999999-14:00",
    "0001-01-01T00:00+14:00",
    "-4713-01-01",
    "1e999",
]
BIDI = ["\u202eevil\u202c", "\u2066a\u2069", "\u200f", "a\u200bb", "\ufeff", "\u2028x\u2029"]
CONTROLS = ["\x01", "\x07\x08", "\x1b[31m", "\x7f", "\x80\x85\x9f", "\r\n", "a\rb", "\t", "\x0b\x0c", "\x1f"]
BLANKS = ["", " ", "\u00a0", "\u3000", "\n\n", "\u180e", "\u2003" * 50]
LONG = ["x" * 41, "x" * 201, "x" * 501, "x" * 1_001, "x" * 20_001, "ﷺ" * 30_000, "a\u0301" * 5_000, "\n" * 9_000]
NUMBERS = ["0", "-0", "-1", "1.5", "1e3", "0x10", "１２", "٣", "½", "99", "100", "9" * 400, "+1", "1,000", " 7 ", "०१"]
DATES = [
    "2026-02-30",
    "2026-13-01",
    "2026-00-00",
    "0000-00-00",
    "2026-11-24T25:61",
    "2026-11-24T23:59:60Z",
    "2026-11-24T14:30+99:99",
    "2026-W48-2",
    "20261124",
    "24/11/2026",
    "tomorrow",
    "1970-01-01T00:00:00-23:59",
    "2026-11-24T14:30:00.1234567890123Z",
]
CHOICES = ["COMMANDER", "l1", "L9", "merges ", "none", "null", "true", "yes", "__all__", "commander,api_lead", "3z"]
IDS = ["1", "999999999", "../1", "1 OR 1=1", "RB-9999-9999", "../../admin/", "%2e%2e", "1;2", "{}", "ffffffff" * 4]
CODE = [
    "<script>alert(1)</script>",
    "{{ 7*7 }}{% debug %}",
    "${jndi:ldap://x}",
    "%s%n%x",
    "{0.__class__}",
    "'; DROP TABLE incidents_incident; --",
    "=HYPERLINK(1)",
    "$(id)",
    "`id`",
    "Subject: x\r\nBcc: a@example.org",
    "[" * 1_000,
    "((((((((a+)+)+)+)+)+)+)+)" + "a" * 500 + "!",
    "javascript:alert(1)",
    "http://[::1",
    "https://user:pass@example.org:99999/",
    "a@b@c",
    '{"a":[1,{"b":null}]}',
]
ODD = [
    "\x00",
    "\ud800",
    "\udc80\ud83d",
    "-9223372036854775809",
    "2147483648",
    "340282366920938463463374607431768211456",
    "NaN",
    "Infinity",
    "0000-01-01",
    "10000-01-01T00:00",
    "0001-01-01T00:00",
    "00000000-0000-0000-0000-000000000000",
    "É" * 4_000,
    "\U0010ffff",
]
TEXTS = [*OF_ENGINES, *ODD, *BIDI, *CONTROLS, *BLANKS, *LONG, *NUMBERS, *DATES, *CHOICES, *IDS, *CODE]

_ALPHABETS = [
    "abc \n",
    "<>\"'&{}%$`\\/",
    "\u202e\u200f\u2066\ufeff",
    "\x00\x01\x1b\x7f\x85",
    "0123456789-+.:eTZ",
    "é漢🔥ß",
]


def by_chance(chance: random.Random) -> str:
    """A text of one to some hundred characters of mixed kinds, or a hostile one with something before and after."""
    if chance.random() < 0.3:
        return chance.choice("a x-1{") + chance.choice(TEXTS)[:2_000] + chance.choice("a x-1}")
    alphabet = "".join(chance.sample(_ALPHABETS, 2))
    return "".join(chance.choices(alphabet, k=chance.choice([1, 3, 10, 60, 300])))


def deep(levels: int) -> Any:
    """A list in a list in a list."""
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


# What JSON can say beyond texts.
OTHERS: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1.5,
    -0.0,
    1e308,
    2**31,
    2**63,
    2**64,
    10**30,
    [],
    {},
    [None],
    ["a", "a"],
    [[]],
    {"a": 1},
    {"": ""},
    {"__proto__": {"x": 1}},
    {"$ne": None},
    list(range(2_000)),
    ["x" * 1_000] * 50,
    deep(18),
    deep(25),
    deep(300),
    {f"k{number}": number for number in range(500)},
]

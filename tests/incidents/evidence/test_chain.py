"""The arithmetic of the chain, against an independent implementation and against every kind of damage."""

from __future__ import annotations

import hashlib
import json

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from incidents.evidence.chain import ZERO, Line, NotCanonical, canonical, digest, link, read_jsonl, verify

_TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00"), max_size=40)
_KEYS = st.text(st.characters(max_codepoint=126, min_codepoint=32), max_size=12)
AT = "2026-11-24T03:12:07.123456Z"
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=20,
)


def make_chain(length: int) -> list[Line]:
    lines: list[Line] = []
    prev = ZERO
    for seq in range(1, length + 1):
        content = canonical({"v": 1, "body": {"number": seq, "text": "Überprüft"}})
        lines.append(Line(seq, AT, prev, link(seq, AT, prev, digest(content)), content))
        prev = lines[-1].hash
    return lines


@given(st.dictionaries(_KEYS, _VALUES, max_size=6))
def test_canonical_bytes_are_those_of_rfc_8785(entry: dict) -> None:
    assert canonical(entry) == rfc8785.dumps(entry)


def test_digest_and_link_are_domain_separated_as_the_format_says() -> None:
    content = b'{"a":1}'
    entry_digest = hashlib.sha256(b"lastgood-entry-v1\n" + content).hexdigest()
    placed = hashlib.sha256(f"lastgood-link-v1\n7\n{AT}\n{ZERO}\n{entry_digest}".encode()).hexdigest()

    assert (digest(content), link(7, AT, ZERO, entry_digest)) == (entry_digest, placed)


@pytest.mark.parametrize(
    "value", [1.5, float("nan"), 2**53, "a\x00b", "\ud800", b"bytes", {"ü": 1}, {1: "a"}, frozenset()], ids=repr
)
def test_what_others_might_write_differently_is_refused(value: object) -> None:
    with pytest.raises(NotCanonical):
        canonical({"body": value})


def test_a_whole_chain_is_intact() -> None:
    lines = make_chain(5)

    verdict = verify(lines)

    assert (verdict.count, verdict.head, verdict.broken_at) == (5, lines[-1].hash, None)


def test_the_first_bad_entry_is_named_whatever_was_done() -> None:
    lines = make_chain(6)
    changed = Line(3, AT, lines[2].prev, lines[2].hash, lines[2].canonical.replace(b"3", b"4"))
    forked = Line(4, AT, ZERO, lines[3].hash, lines[3].canonical)

    assert verify([*lines[:2], changed, *lines[3:]]).broken_at == 3
    assert verify([*lines[:2], *lines[3:]]).broken_at == 4
    assert verify([*lines[:3], forked, *lines[4:]]).broken_at == 4
    assert verify([lines[1], lines[0]]).broken_at == 2


def test_an_exported_log_reads_back_as_the_same_chain() -> None:
    lines = make_chain(3)
    rows = [
        json.dumps({"at": x.at, "entry": json.loads(x.canonical), "hash": x.hash, "prev": x.prev, "seq": x.seq})
        for x in lines
    ]

    assert list(read_jsonl(rows)) == lines


@pytest.mark.parametrize("row", ["", "[]", "{}", '{"seq": 1}', "not json"])
def test_a_row_that_is_no_line_says_so(row: str) -> None:
    with pytest.raises(ValueError, match="A row of the log"):
        list(read_jsonl([row]))

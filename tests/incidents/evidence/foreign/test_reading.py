from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.evidence.foreign.reading import Limits, Reader, Shape, Unreadable
from tests.incidents.evidence.foreign.writing import v1

ENTRIES = v1(5)


def read(raw: bytes | str, **limits: int) -> tuple[list[Any], Reader]:
    reader = Reader(io.BytesIO(raw if isinstance(raw, bytes) else raw.encode()), Limits(**limits))
    return list(reader), reader


def lines(entries: list[Any]) -> str:
    return "\n".join(json.dumps(entry) for entry in entries)


WAYS = {
    "page": (json.dumps({"items": ENTRIES}), Shape.PAGE),
    "page, items last": (json.dumps({"total": 5, "note": 'a "b" \\', "items": ENTRIES}), Shape.PAGE),
    "page, an object first": (json.dumps({"meta": {"a": [1]}, "items": ENTRIES}), Shape.PAGE),
    "page with more behind": (json.dumps({"items": ENTRIES, "nextCursor": None, "x": {"y": [1.5]}}), Shape.PAGE),
    "two pages": (
        json.dumps({"items": ENTRIES[:2], "nextCursor": "a"}) + json.dumps({"items": ENTRIES[2:]}),
        Shape.PAGE,
    ),
    "evidence and total": (json.dumps({"evidence": ENTRIES, "total": 5}), Shape.PAGE),
    "array": (json.dumps(ENTRIES), Shape.ARRAY),
    "array, indented": (json.dumps(ENTRIES, indent=4), Shape.ARRAY),
    "lines": (lines(ENTRIES), Shape.LINES),
    "lines, CRLF and an end": (lines(ENTRIES).replace("\n", "\r\n") + "\r\n\r\n", Shape.LINES),
    "a byte order mark": ("\ufeff" + lines(ENTRIES), Shape.LINES),
    "entries on several lines each": ("\n".join(json.dumps(entry, indent=2) for entry in ENTRIES), Shape.LINES),
    "chains of an experiment": (
        json.dumps(
            [{"variantId": "a", "evidenceChain": ENTRIES[:2]}, {"variantId": "b", "evidenceChain": ENTRIES[2:]}]
        ),
        Shape.ARRAY,
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_shape_gives_the_same_entries(way: str) -> None:
    raw, shape = WAYS[way]

    entries, reader = read(raw)

    assert (entries, reader.shape, reader.count, reader.next_page) == (ENTRIES, shape, 5, "")


@given(st.sampled_from(sorted(WAYS)), st.integers(1, 40))
def test_it_makes_no_difference_where_the_pieces_of_a_file_end(way: str, size: int) -> None:
    class Piecemeal(io.BytesIO):
        def read(self, _: int | None = -1, /) -> bytes:
            return super().read(size)

    reader = Reader(Piecemeal(WAYS[way][0].encode()))

    assert (list(reader), reader.shape) == (ENTRIES, WAYS[way][1])


def test_a_number_at_the_end_of_a_piece_is_read_to_its_end() -> None:
    class Piecemeal(io.BytesIO):
        def read(self, _: int | None = -1, /) -> bytes:
            return super().read(1)

    reader = Reader(Piecemeal(b'{"items": [{"a": 1}], "total": 1234}{"items": [{"a": 2}], "nextCursor": "x"}'))

    assert (list(reader), reader.next_page) == ([{"a": 1}, {"a": 2}], "x")


def test_only_the_last_page_says_what_follows() -> None:
    first, last = {"items": ENTRIES[:1], "nextCursor": "a"}, {"items": ENTRIES[1:2], "nextCursor": "b"}

    assert read(json.dumps(first) + "\n" + json.dumps(last))[1].next_page == "b"
    assert read(json.dumps(first) + "\n" + json.dumps(last | {"nextCursor": None}))[1].next_page == ""


def test_a_key_given_twice_counts_by_its_last_value_and_is_told() -> None:
    reader = Reader(io.BytesIO(b'{"a": 1, "b": {"c": 1, "c": 2}}\n{"a": 2}'))

    assert [(entry, reader.is_doubled) for entry in reader] == [({"a": 1, "b": {"c": 2}}, True), ({"a": 2}, False)]


BAD: list[tuple[bytes, str]] = [
    (b"[1]", "Entry 1 of the file is no JSON object."),
    (b'{"items": [{}, "x"]}', "Entry 2 of the file is no JSON object."),
    (b'"text"', "Entry 1 of the file is no JSON object."),
    (b"hello", "The file is no JSON from its beginning."),
    (b"PK\x03\x04", "The file is no JSON from its beginning."),
    (b'[{"a": 1}', "The file is no JSON after entry 1."),
    (b'[{"a": 1} {"a": 2}]', "The file is no JSON after entry 1."),
    (b'[{"a": 1},]', "The file is no JSON after entry 1."),
    (b'[,{"a": 1}]', "The file is no JSON from its beginning."),
    (b'{"items": [{"a": 1}]', "The file is no JSON after entry 1."),
    (b'{"items": [{"a": 1}], 5: 6}', "The file is no JSON after entry 1."),
    (b'{"a": 1}\n{"a": ', "The file is no JSON after entry 1."),
    (b'{"a": NaN}', "The file is no JSON: it holds NaN."),
    (b'{"a": "\x01"}', "The file is no JSON from its beginning."),
    (b'{"a": "\xff"}', "The file is not text in UTF-8."),
    (b'{"a": "\xc3', "The file is not text in UTF-8."),
    ('{"a": 1}'.encode("utf-16"), "The file is not text in UTF-8."),
    (b'{"a":' * 33 + b"1" + b"}" * 33, "Entry 1 of the file nests more than 32 deep."),
    (b"[" * 200_000 + b"]" * 200_000, "Entry 1 of the file nests more than 32 deep."),
]


@pytest.mark.parametrize(("raw", "sentence"), BAD)
def test_what_cannot_be_read_is_a_sentence(raw: bytes, sentence: str) -> None:
    with pytest.raises(Unreadable) as refused:
        read(raw)

    assert str(refused.value) == sentence


def test_thirty_two_deep_is_fine() -> None:
    raw = '{"a":' * 32 + "1" + "}" * 32

    assert read(raw)[1].count == 1


@pytest.mark.parametrize(
    ("limits", "sentence"),
    [
        ({"entries": 4}, "The file holds more than 4 entries: check it in parts."),
        ({"file_size": 1024**2}, "The file is larger than 1 MB: check it in parts."),
        ({"entry_size": 512 * 1024}, "Entry 6 of the file is larger than 512 KB, or no JSON."),
    ],
)
def test_each_limit_is_told(limits: dict[str, int], sentence: str) -> None:
    large = json.dumps({"summary": "x" * 3 * 1024**2})

    with pytest.raises(Unreadable) as refused:
        read(f"{lines(ENTRIES)}\n{large}", **limits)

    assert str(refused.value) == sentence


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode) | st.sampled_from(BAD).map(lambda bad: bad[0]))
def test_no_file_whatever_is_an_error_of_ours(raw: bytes) -> None:
    try:
        entries, _ = read(raw)
    except Unreadable as refused:
        entries, sentence = [], str(refused)
    else:
        sentence = "Read."
    assert all(isinstance(entry, dict) for entry in entries)
    assert sentence.endswith(".")

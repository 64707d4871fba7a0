"""A log of 100,000 entries: seconds, and memory that grows by little more than what is remembered of each entry."""

from __future__ import annotations

import io
import json
import random
import time
import tracemalloc

import pytest

from incidents.evidence.foreign import Code, check
from tests.incidents.evidence.foreign.writing import v1

pytestmark = pytest.mark.thorough


def shuffled(length: int) -> bytes:
    entries = v1(length)
    random.Random(7).shuffle(entries)
    return json.dumps({"items": entries}).encode()


def test_a_hundred_thousand_entries_take_seconds() -> None:
    raw = shuffled(100_000)
    began = time.process_time()
    json.loads(raw)
    floor = time.process_time() - began

    began = time.process_time()
    found = check(io.BytesIO(raw))
    spent = time.process_time() - began

    assert (found.code, found.entries, found.head_id) == (Code.INTACT, 100_000, "evi-99999")
    assert spent < 12 * floor


def test_what_is_remembered_of_an_entry_is_small_and_its_text_is_not_kept() -> None:
    few, many = (shuffled(length) for length in (5_000, 20_000))

    grown = (peak_of(many) - peak_of(few)) / 15_000

    assert grown < 1_200


def peak_of(raw: bytes) -> int:
    source = io.BytesIO(raw)
    tracemalloc.start()
    check(source)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak

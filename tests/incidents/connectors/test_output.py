"""What is kept of an output."""

import time
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.connectors import output
from incidents.connectors.output import Capture
from tests.incidents.connectors.given import SECRET


def test_short_output_is_kept_whole():
    kept = output.of(b"one\ntwo\n", 100)

    assert (kept.text, kept.size, kept.dropped, kept.sha256) == (
        "one\ntwo\n", 8, 0, sha256(b"one\ntwo\n").hexdigest(),
    )  # fmt: skip


def test_long_output_keeps_both_ends_and_says_what_is_missing():
    kept = output.of(b"A" * 50 + b"-" * 2000 + b"Z" * 50, 100)

    assert kept.text == "A" * 50 + "\n[… 2,000 bytes left out …]\n" + "Z" * 50
    assert (kept.size, kept.dropped) == (2100, 2000)


@given(st.lists(st.binary(max_size=400), max_size=20), st.sampled_from([2, 10, 64]))
def test_in_any_pieces_the_same_is_kept(chunks, cap):
    whole = b"".join(chunks)
    capture = Capture(cap)

    for chunk in chunks:
        capture.feed(chunk)
    kept = capture.finish()

    assert kept == output.of(whole, cap)
    assert (kept.size, kept.dropped) == (len(whole), max(0, len(whole) - cap))
    assert kept.sha256 == sha256(whole).hexdigest()


def test_a_secret_at_the_edge_of_what_is_kept_is_masked_before_it_is_cut():
    for lead in range(30, 60):
        kept = output.of(b"." * lead + SECRET.encode() + b"." * 400, 100, [SECRET])

        assert not any(SECRET[start : start + 8] in kept.text for start in range(len(SECRET) - 8))


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"a\0b", "a\ufffdb"),
        (b"\0" * 5000, "\ufffd"),
        (b"\x1b[31mred\x1b[0m plain", "red plain"),
        (b"\x1b]0;title\x07x\x1b]8;;http://evil\x1b\\y", "xy"),
        (b"10%\r20%\r\ndone", "10%\n20%\ndone"),
        (b"caf\xc3\xa9 \xff", "café \ufffd"),
        (b"\x1b", "\ufffd"),
        (b"tab\tstays\n", "tab\tstays\n"),
    ],
)
def test_kept_text_can_be_stored_and_shown_anywhere(raw, text):
    assert output.of(raw, 1000 * 10).text == text


# So far -------------------------------------------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=400), max_size=20), st.sampled_from([2, 10, 64]), st.sampled_from([2, 8, 200]))
def test_looked_at_meanwhile_it_shows_both_ends_and_changes_nothing(chunks, cap, shown):
    whole = b"".join(chunks)
    capture = Capture(cap)
    for chunk in chunks:
        capture.feed(chunk)

    looked = capture.so_far(shown)

    room = min(cap // 2, shown // 2) * 2
    assert (looked.size, looked.dropped, looked.sha256) == (
        len(whole), max(0, len(whole) - room), sha256(whole).hexdigest(),
    )  # fmt: skip
    assert looked.text == output.of(whole, room).text
    assert capture.finish() == output.of(whole, cap)


@pytest.mark.parametrize("cut", range(1, len(SECRET)))
def test_no_part_of_a_secret_is_shown_before_the_rest_of_it_has_come(cut):
    capture = Capture(1000, [SECRET])

    capture.feed(b"token " + SECRET[:cut].encode())
    early = capture.so_far().text
    capture.feed(SECRET[cut:].encode() + b" and what comes after it, longer than any spelling of it" + b"." * 100)

    assert early == "token "[: len(early)]
    assert capture.so_far().text.startswith("token [masked] and what comes")


def test_it_is_told_once_a_second_and_only_when_there_is_more():
    told = []
    capture = Capture(1000)
    show = output.Show(capture, told.append, every=0.2)

    assert show.pulse() == float("inf")
    capture.feed(b"one ")
    assert show.pulse() == float("inf")
    capture.feed(b"two ")
    wait = show.pulse()
    assert 0 < wait <= 0.2
    assert [found.text for found in told] == ["one "]
    deadline = time.monotonic() + 5
    while show.pulse() != float("inf"):
        assert time.monotonic() < deadline

    assert [found.text for found in told] == ["one ", "one two "]
    assert show.pulse() == float("inf")
    assert len(told) == 2

"""Secrets never come through, however the stream is cut."""

import base64
import json
from itertools import pairwise
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.connectors.masking import StreamMask, mask
from tests.incidents.connectors.given import SECRET

TRICKY = 'tab\there "quoted" \\ ü/+= &'
PEM = "-----BEGIN KEY-----\nMC4CAQAwBQYDK2VwBCIEIHlk\nZm9vYmFyYmF6cXV4MTIzNA==\n-----END KEY-----\n"


def pieces(text, cuts):
    edges = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    return [text[a:b] for a, b in pairwise(edges)]


@pytest.mark.parametrize("cut", range(len(SECRET) + 3))
def test_a_secret_is_masked_wherever_the_stream_is_cut(cut):
    stream = StreamMask([SECRET])
    text = f"<{SECRET}>".encode()

    masked = stream.feed(text[:cut]) + stream.feed(text[cut:]) + stream.finish()

    assert masked == b"<[masked]>"


@given(
    st.lists(st.sampled_from(["ab", "abab", "b", "x", SECRET, SECRET[:9], "\n"]), max_size=30).map("".join),
    st.lists(st.integers(0, 300), max_size=12),
)
def test_masking_in_pieces_is_masking_the_whole(text, cuts):
    secrets = ["abab", "ababab", SECRET]
    stream = StreamMask(secrets)

    masked = b"".join([*(stream.feed(piece) for piece in pieces(text.encode(), cuts)), stream.finish()]).decode()

    assert masked == mask(text, secrets)
    assert not any(secret in masked for secret in secrets)


@pytest.mark.parametrize("secret", [SECRET, TRICKY, "p@ss wörd & more"])
@pytest.mark.parametrize(
    "spell",
    [
        str,
        json.dumps,
        lambda s: json.dumps(s, ensure_ascii=False),
        lambda s: quote(s, safe=""),
        quote_plus,
        lambda s: s.encode().hex(),
        lambda s: s.encode().hex().upper(),
        lambda s: base64.b64encode(s.encode()).decode(),
        lambda s: base64.urlsafe_b64encode(s.encode()).decode(),
        lambda s: "Basic " + base64.b64encode(f"u:{s}".encode()).decode(),
        lambda s: "Basic " + base64.b64encode(f"me:{s}:x".encode()).decode(),
        lambda s: "Basic " + base64.b64encode(f"ops:{s}".encode()).decode(),
    ],
)
def test_each_spelling_that_programs_print_is_masked(secret, spell):
    masked = mask(f"see {spell(secret)} there", [secret])

    assert "[masked]" in masked
    assert secret not in masked
    assert len(masked) < 40


def test_each_line_of_a_secret_with_several_lines_is_masked():
    assert mask("> MC4CAQAwBQYDK2VwBCIEIHlk\n> Zm9vYmFyYmF6cXV4MTIzNA==", [PEM]) == "> [masked]\n> [masked]"


def test_without_secrets_everything_passes_at_once():
    stream = StreamMask(["", ""])

    assert (stream.feed(b"as it is"), stream.finish()) == (b"as it is", b"")


def test_broken_text_is_masked_as_well():
    assert mask(f"\ud800{SECRET}", [SECRET]) == "\ud800[masked]"

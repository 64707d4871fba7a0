"""What somebody typed into an address and must not be shown."""

from __future__ import annotations

import time

import pytest

from incidents.connectors.credentials import found_in, masked

HOLD = [
    ("https://h.test/?token=abc", "https://h.test/?token=[masked]"),
    ("https://h.test/?a=1&Access-Token=abc&b=2", "https://h.test/?a=1&Access-Token=[masked]&b=2"),
    ("https://h.test/?%74oken=abc", "https://h.test/?%74oken=[masked]"),
    ("https://h.test/?private_token=abc;x=1", "https://h.test/?private_token=[masked];x=1"),
    ("https://h.test/?clientSecret=abc", "https://h.test/?clientSecret=[masked]"),
    ("https://h.test/?key=abc#x", "https://h.test/?key=[masked]#x"),
    ("https://h.test/#access_token=abc", "https://h.test/#access_token=[masked]"),
    ("https://h.test/?X-Amz-Signature=abc", "https://h.test/?X-Amz-Signature=[masked]"),
    ("https://me@h.test/a", "https://[masked]@h.test/a"),
    ("https://me:p@ss@h.test/a", "https://[masked]@h.test/a"),
    (
        "see https://me:pw@h.test/a and https://h.test/?pwd=x",
        "see https://[masked]@h.test/a and https://h.test/?pwd=[masked]",
    ),
    ("h.test/?password=abc", "h.test/?password=[masked]"),
]
HOLD_NONE = [
    "https://h.test/hooks/roll-back",
    "https://h.test/?team=ops&job=c07518ef-b697-4792-9a59-5b4f08855b67",
    "https://h.test/?token=",
    "https://h.test/?key={target}&ref={attempt}",
    "https://h.test/@user/path?to=ops@example.test",
    "https://h.test/?monkey=1&keyboard=2&encode=x",
    "ops@example.test",
    "token=abc",
    "",
]


@pytest.mark.parametrize(("text", "shown"), HOLD)
def test_a_credential_is_named_and_masked(text: str, shown: str) -> None:
    assert len(found_in({"status": {"url": [text]}})) in (1, 2)
    assert masked({"status": {"url": [text]}}) == {"status": {"url": [shown]}}
    assert found_in({"url": text})[0].endswith("Name the variable that holds it as the secret instead.")


@pytest.mark.parametrize("text", HOLD_NONE)
def test_an_ordinary_address_stays_as_it_is(text: str) -> None:
    assert found_in({"url": text}) == []
    assert masked({"url": text, "number": 7, "none": None}) == {"url": text, "number": 7, "none": None}


def test_what_is_masked_is_still_refused() -> None:
    for text, shown in HOLD:
        assert found_in(shown), text
        assert masked(shown) == shown


@pytest.mark.parametrize(
    "text", ["://" * 30_000, "?a" * 50_000, "?" * 100_000, "https://" + "a" * 100_000, "&=" * 50_000]
)
def test_hostile_text_takes_no_time(text: str) -> None:
    begun = time.process_time()

    found_in(text)
    masked(text)

    assert time.process_time() - begun < 0.5

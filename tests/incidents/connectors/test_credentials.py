"""What somebody typed into an address and must not be shown."""

from __future__ import annotations

import time

import pytest

from incidents.connectors.credentials import found_in, masked
from incidents.terms import ConnectorKind

HOLD = [
    ("https://h.test/?token=abc", "https://h.test/?token=[masked]"),
    ("https://h.test/?a=1&Access-Token=abc&b=2", "https://h.test/?a=1&Access-Token=[masked]&b=2"),
    ("https://h.test/?%74oken=abc", "https://h.test/?%74oken=[masked]"),
    ("https://h.test/?private_token=abc;x=1", "https://h.test/?private_token=[masked];x=1"),
    ("https://h.test/?clientSecret=abc", "https://h.test/?clientSecret=[masked]"),
    ("https://h.test/?key=s3cr3ts3cr3ts3cr3t#x", "https://h.test/?key=[masked]#x"),
    ("https://h.test/?pat=s3cr3ts3cr3ts3cr3t", "https://h.test/?pat=[masked]"),
    ("https://h.test/?auth_code=s3cr3ts3cr3ts3cr3t", "https://h.test/?auth_code=[masked]"),
    ("https://h.test/?token_v=s3cr3ts3cr3ts3cr3t", "https://h.test/?token_v=[masked]"),
    ("https://h.test/?sig=s3cr3t%2Bs3cr3t%2Bs3cr3t", "https://h.test/?sig=[masked]"),
    ("https://h.test/?subscription-key=abc", "https://h.test/?subscription-key=[masked]"),
    ("https://h.test/?x-functions-key=abc", "https://h.test/?x-functions-key=[masked]"),
    ("https://h.test/?client_key=a&app_key=b", "https://h.test/?client_key=[masked]&app_key=[masked]"),
    ("https://h.test/?routing_key=abc", "https://h.test/?routing_key=[masked]"),
    ("https://h.test/?account_key=abc", "https://h.test/?account_key=[masked]"),
    ("https://h.test/?sessionid=abc", "https://h.test/?sessionid=[masked]"),
    ("https://h.test/?session_id=abc", "https://h.test/?session_id=[masked]"),
    (
        "https://h.test/?APIKey=a&APIKEY=b&api_key2=c",
        "https://h.test/?APIKey=[masked]&APIKEY=[masked]&api_key2=[masked]",
    ),
    ("https://h.test/#access_token=abc", "https://h.test/#access_token=[masked]"),
    ("https://h.test/?X-Amz-Signature=abc", "https://h.test/?X-Amz-Signature=[masked]"),
    ("https://me@h.test/a", "https://[masked]@h.test/a"),
    ("https://me:p@ss@h.test/a", "https://[masked]@h.test/a"),
    (
        "see https://me:pw@h.test/a and https://h.test/?pwd=x",
        "see https://[masked]@h.test/a and https://h.test/?pwd=[masked]",
    ),
    ("ssh://git:pw@h.test/a.git", "ssh://[masked]@h.test/a.git"),
    ("git+https://abc@h.test/a.git", "git+https://[masked]@h.test/a.git"),
    ("https://h.test/?next=https://me:pw@x.test/", "https://h.test/?next=https://[masked]@x.test/"),
]
HOLD_NONE = [
    "https://h.test/hooks/roll-back",
    "https://h.test/?team=ops&job=c07518ef-b697-4792-9a59-5b4f08855b67",
    "https://h.test/?token=",
    "https://h.test/?key={target}&ref={attempt}",
    "https://h.test/@user/path?to=ops@example.test",
    "https://h.test/?monkey=1&keyboard=2&encode=x",
    "https://h.test/?max_tokens=100&tokenizer=bpe&token_type=x",
    "https://h.test/?key=prod&code=200&country_code=DE&pass=1",
    "ssh://git@github.com/acme/app.git",
    "deploy #3;key=prod",
    "h.test/?password=abc",
    "ops@example.test",
    "token=abc",
    "",
]


@pytest.mark.parametrize(("text", "shown"), HOLD)
def test_a_credential_is_named_and_masked(text: str, shown: str) -> None:
    assert len(found_in({"status": {"url": [text]}})) in (1, 2, 3)
    assert masked({"status": {"url": [text]}}) == {"status": {"url": [shown]}}


@pytest.mark.parametrize("kind", ConnectorKind)
def test_the_advice_can_be_followed_with_each_kind(kind: ConnectorKind) -> None:
    [sentence] = found_in({"url": "https://h.test/?token=abc"}, kind)

    assert sentence.startswith("“token” in the address looks like a secret. ")
    assert ("Name the variable that holds it as the secret" in sentence) == (kind not in ("webhook", "manual"))


@pytest.mark.parametrize("text", HOLD_NONE)
def test_an_ordinary_address_stays_as_it_is(text: str) -> None:
    assert found_in({"url": text}) == []
    assert masked({"url": text, "number": 7, "none": None}) == {"url": text, "number": 7, "none": None}


def test_what_is_masked_is_still_refused() -> None:
    for text, shown in HOLD:
        assert found_in(shown), text
        assert masked(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "://" * 30_000,
        "?a" * 50_000,
        "?" * 100_000,
        "https://" + "a" * 100_000,
        "&=" * 50_000,
        "a" * 200_000,
        "://?" + "A" * 100_000 + "=x",
    ],
)
def test_hostile_text_takes_no_time(text: str) -> None:
    begun = time.process_time()

    found_in(text)
    masked(text)

    assert time.process_time() - begun < 0.5

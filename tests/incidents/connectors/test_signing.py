"""Signatures against the vector that the Standard Webhooks libraries share."""

from datetime import UTC, datetime, timedelta

import pytest

from incidents.connectors import signing
from tests.incidents.connectors.given import KEY


def test_the_published_vector():
    now = datetime.fromtimestamp(1614265330, UTC)

    headers = signing.headers("msg_p5jXN8AQM9LWM0D4loKWxJek", now, '{"test": 2432232314}', KEY)

    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


MESSAGE, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}'
PUBLISHED = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
WRONG = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="
SENT = datetime.fromtimestamp(1614265330, UTC)
ANOTHER = "whsec_" + "QUJD" * 10


@pytest.mark.parametrize(
    ("signatures", "is_signed"),
    [
        (PUBLISHED, True),
        (f"{WRONG} {WRONG.replace('v1', 'v2')} {PUBLISHED}", True),
        (WRONG, False),
        (PUBLISHED.replace("v1", "v2"), False),
        ("", False),
    ],
)
def test_the_published_vector_is_heard_alone_and_among_others(signatures: str, is_signed: bool) -> None:
    assert signing.is_signed(MESSAGE, "1614265330", signatures, BODY, KEY, SENT) is is_signed


@pytest.mark.parametrize(("seconds", "is_signed"), [(-301, False), (-300, True), (300, True), (301, False)])
def test_a_stamp_may_be_five_minutes_off(seconds: int, is_signed: bool) -> None:
    now = SENT + timedelta(seconds=seconds)

    assert signing.is_signed(MESSAGE, "1614265330", PUBLISHED, BODY, KEY, now) is is_signed


def test_both_keys_sign_and_each_is_heard_while_one_is_rotated_out() -> None:
    sent = signing.headers(MESSAGE, SENT, BODY.decode(), f"{ANOTHER} {KEY}")["webhook-signature"]

    assert (len(sent.split()), PUBLISHED in sent.split()) == (2, True)
    for secret in (KEY, ANOTHER, f"{KEY} {ANOTHER}"):
        assert signing.is_signed(MESSAGE, "1614265330", sent, BODY, secret, SENT)


@pytest.mark.parametrize("secret", ["", "hunter2", "whsec_", "whsec_QUJD", "whsec_!", f"{KEY} hunter2"])
def test_what_is_no_key_of_24_bytes_signs_nothing(secret: str) -> None:
    assert not signing.is_signed(MESSAGE, "1614265330", PUBLISHED, BODY, secret, SENT)


def test_a_problem_with_a_key_does_not_show_it():
    (problem,) = signing.problems("whsec_hunter2")

    assert "hunter2" not in problem

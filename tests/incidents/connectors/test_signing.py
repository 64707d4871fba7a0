"""Signatures against the vector that the Standard Webhooks libraries share."""

from datetime import UTC, datetime

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


def test_a_problem_with_a_key_does_not_show_it():
    (problem,) = signing.problems("whsec_hunter2")

    assert "hunter2" not in problem

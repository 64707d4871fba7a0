"""What a webhook sends, and how its answer is judged. The receiver is a real server."""

import email.utils
import json
import time
from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from incidents.connectors import webhook
from incidents.connectors.base import Limits
from tests.incidents.connectors.given import KEY, a_job, always, here
from tests.incidents.connectors.servers import Answer

OTHER_KEY = "whsec_" + "QUJD" * 10


def call(server, **changes):
    config = {"url": server.url} | changes.pop("config", {})
    return webhook.run(a_job(config=config, secret=KEY, **changes), here(server.url), always)


def test_the_receiver_can_check_who_sent_it_and_reads_the_whole_job(receiving):
    server = receiving()
    job = a_job(config={"url": server.url}, secret=KEY, arguments={"revision": "41"})

    outcome = webhook.run(job, here(server.url), always)

    (heard,) = server.heard
    payload = Webhook(KEY).verify(heard.body, heard.headers)
    age = datetime.fromisoformat(payload.pop("timestamp")).timestamp() - float(heard.headers["webhook-timestamp"])
    assert (outcome.state, outcome.sentence) == ("succeeded", "The system accepted it (status 200).")
    assert (heard.method, heard.path, age) == ("POST", "/hook?part=1", 0)
    assert payload == {
        "type": "lastgood.action.started",
        "data": {
            "attempt": str(job.attempt_id),
            "idempotency_key": "RB-2026-0007.api-rollback.1",
            "epoch": 3,
            "fence": 12,
            "incident": "RB-2026-0007",
            "action": "api-rollback",
            "title": "Roll the API back",
            "product": "portarium",
            "target": "4f1c2d9",
            "arguments": {"revision": "41"},
        },
    }


def test_the_headers_let_a_receiver_refuse_repeats_and_late_comers(receiving):
    server = receiving()
    job = a_job(config={"url": server.url}, secret=KEY)

    webhook.run(job, here(server.url), always)

    headers = server.heard[0].headers
    wanted = ("webhook-id", "idempotency-key", "x-fence", "content-type", "accept-encoding", "connection", "host")
    assert {name: headers[name] for name in wanted} == {
        "webhook-id": str(job.attempt_id),
        "idempotency-key": "RB-2026-0007.api-rollback.1",
        "x-fence": "12",
        "content-type": "application/json",
        "accept-encoding": "identity",
        "connection": "close",
        "host": f"127.0.0.1:{server.port}",
    }
    assert "cookie" not in headers
    assert "transfer-encoding" not in headers


def test_while_a_key_is_rotated_out_both_keys_verify_and_no_third(receiving):
    server = receiving()

    webhook.run(a_job(config={"url": server.url}, secret=f"{KEY} {OTHER_KEY}"), here(server.url), always)

    (heard,) = server.heard
    assert Webhook(KEY).verify(heard.body, heard.headers) == Webhook(OTHER_KEY).verify(heard.body, heard.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "REVG" * 10).verify(heard.body, heard.headers)


@pytest.mark.parametrize(
    ("status", "state"),
    [(200, "succeeded"), (201, "succeeded"), (202, "succeeded"), (204, "succeeded"), (299, "succeeded")]
    + [(status, "failed") for status in (400, 401, 403, 404, 409, 410, 422)]
    + [(status, "unknown") for status in (301, 302, 303, 307, 308, 405, 408, 413, 425, 429, 451, 500, 502, 503, 504)],
)
def test_each_status_has_its_class(receiving, status, state):
    server = receiving(Answer(status=status, body=b""))

    outcome = call(server)

    assert (outcome.state, outcome.detail["status"], len(server.heard)) == (state, status, 1)


@pytest.mark.parametrize("is_idempotent", [True, False])
@pytest.mark.parametrize("status", [429, 503])
def test_busy_may_be_called_again_only_where_the_connector_is_declared_idempotent(receiving, status, is_idempotent):
    server = receiving(Answer(status=status, headers={"Retry-After": "30"}))

    outcome = call(server, config={"idempotent": is_idempotent})

    assert outcome.state == ("not_sent" if is_idempotent else "unknown")
    assert outcome.detail["retry_after_seconds"] == 30


def test_busy_may_name_a_date(receiving):
    later = email.utils.format_datetime(datetime.fromtimestamp(time.time() + 90, UTC), usegmt=True)
    server = receiving(Answer(status=503, headers={"Retry-After": later}))

    outcome = call(server, config={"idempotent": True})

    assert outcome.state == "not_sent"
    assert 80 <= int(outcome.detail["retry_after_seconds"]) <= 91


@pytest.mark.parametrize("value", ["", "soon", "-5", "1e3", "٣", "Thu, 99 Foo 2026"])
def test_busy_without_a_time_that_can_be_read_stays_unknown(receiving, value):
    server = receiving(Answer(status=503, headers={"Retry-After": value.encode().decode("latin-1")}))

    outcome = call(server, config={"idempotent": True})

    assert outcome.state == "unknown"


def test_a_server_error_stays_unknown_even_where_repeats_are_harmless(receiving):
    server = receiving(Answer(status=500))

    outcome = call(server, config={"idempotent": True})

    assert (outcome.state, outcome.sentence) == (
        "unknown",
        "The system answered with status 500; whether it acted is not known.",
    )


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_never_followed(receiving, status):
    elsewhere = receiving()
    server = receiving(Answer(status=status, headers={"Location": elsewhere.url}))

    outcome = webhook.run(
        a_job(config={"url": server.url}, secret=KEY),
        here(server.url, allowed_hosts=[f"127.0.0.1:{server.port}", f"127.0.0.1:{elsewhere.port}"]),
        always,
    )

    assert (outcome.state, len(server.heard), elsewhere.heard) == ("unknown", 1, [])


def test_a_proxy_in_the_environment_is_ignored(receiving, monkeypatch):
    proxy, server = receiving(), receiving()
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")

    outcome = call(server)

    assert (outcome.state, len(server.heard), proxy.heard) == ("succeeded", 1, [])


def test_the_reference_of_the_other_side_is_kept(receiving):
    server = receiving(Answer(status=202, body=b'{"run": 8841, "id": "a"}'))

    assert call(server).remote_ref == "a"
    assert call(server, config={"ref_field": "run"}).remote_ref == "8841"
    assert call(server, config={"ref_field": "none"}).remote_ref == ""


@pytest.mark.parametrize(
    "body", [b"", b"[1]", b"ok", b'{"id": true}', b'{"id": {}}', b"\xff", b"[" * 50_000, b"9" * 9000]
)
def test_an_answer_that_is_no_object_has_no_reference_and_harms_nothing(receiving, body):
    outcome = call(receiving(Answer(body=body)))

    assert (outcome.state, outcome.remote_ref, outcome.output_bytes) == ("succeeded", "", len(body))


def test_an_answer_that_echoes_the_secret_is_masked(receiving):
    server = receiving(Answer(body=json.dumps({"id": KEY, "you sent": KEY}).encode()))

    outcome = call(server)

    assert outcome.output == '{"id": "whsec_[masked]", "you sent": "whsec_[masked]"}'
    assert outcome.remote_ref == "whsec_[masked]"
    assert KEY.removeprefix("whsec_") not in repr(outcome)


@pytest.mark.parametrize(
    "secret", [None, "", " ", "plain", "whsec_", "whsec_dG9vc2hvcnQ=", "whsec_!!!!", "whsec_" + "QUJD" * 22]
)
def test_without_a_usable_key_nothing_is_sent(receiving, secret):
    server = receiving()

    outcome = webhook.run(a_job(config={"url": server.url}, secret=secret), here(server.url), always)

    assert (outcome.state, outcome.detail, server.heard) == ("failed", {"reason": "settings"}, [])


def test_an_attempt_that_was_taken_back_is_not_sent(receiving):
    server = receiving()

    outcome = webhook.run(a_job(config={"url": server.url}, secret=KEY), here(server.url), lambda: False)

    assert (outcome.state, outcome.detail["reason"], server.heard) == ("not_sent", "not_ours", [])


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({}, "A URL is needed."),
        (
            {"url": "https://evil.example/"},
            "evil.example:443 is not in LASTGOOD_OUTBOUND_HOSTS; the operator has to add it there.",
        ),
        ({"url": "https://hooks.example.org/", "idempotent": "yes"}, "idempotent must be true or false."),
        ({"url": "https://hooks.example.org/", "ref_field": 1}, "ref_field must name a field of the answer."),
        (
            {"url": "https://hooks.example.org/", "verify": False},
            "There is no setting 'verify' here; it takes idempotent, ref_field, status, url, wait_for.",
        ),
    ],
)
def test_check_says_what_is_wrong_before_anything_runs(config, problem):
    assert webhook.check(config, Limits(allowed_hosts=["hooks.example.org"])) == [problem]


def test_a_job_never_shows_its_secret():
    assert KEY not in repr(a_job(secret=KEY))

"""What outside systems send becomes bounded lines and plain links, whatever it holds."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidents.api import inbound
from incidents.terms import Source
from tests.incidents.connectors.given import a_notification

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=60),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=12,
)


def test_a_notification_is_read() -> None:
    told = inbound.of_alertmanager(a_notification())

    assert (told.source, told.is_resolved, told.trigger) == (Source.ALERTMANAGER, False, "")
    assert told.title == "ProjectionLag: Projections are 14 minutes behind"
    assert told.text == "Since deploy 1182."
    assert told.link == "http://prometheus:9090/graph?g0.expr=lag"
    assert told.facts == [
        ["alerts", "1"],
        ["alertname", "ProjectionLag"],
        ["severity", "critical"],
        ["service", "projector"],
    ]
    assert told.alerts == [
        {
            "title": "ProjectionLag: Projections are 14 minutes behind",
            "own": "shard 3",
            "status": "firing",
            "since": "2026-11-24 14:02 UTC",
            "link": "http://prometheus:9090/graph?g0.expr=lag",
        }
    ]


@pytest.mark.parametrize(
    ("given_at", "shown"),
    [
        ("2026-11-24T16:02:11+02:00", "2026-11-24 14:02 UTC"),
        ("2026-11-24T14:02:11.123456789Z", "2026-11-24 14:02 UTC"),
        ("0001-01-01T00:00:00+23:59", ""),
        ("yesterday", ""),
        (7, ""),
    ],
)
def test_when_an_alert_began_is_told_in_utc(given_at: Any, shown: str) -> None:
    alert = a_notification()["alerts"][0] | {"startsAt": given_at}

    assert inbound.of_alertmanager(a_notification(alerts=[alert])).alerts[0]["since"] == shown


def test_a_label_names_the_runbooks_trigger() -> None:
    told = inbound.of_alertmanager(a_notification(commonLabels={"lastgood_trigger": "security_risk"}))

    assert told.trigger == "security_risk"


def test_a_group_is_the_same_whatever_fires_in_it_and_another_group_is_not() -> None:
    first, more = a_notification(), a_notification()
    more["alerts"] = [*more["alerts"], {**more["alerts"][0], "fingerprint": "ffff"}]

    keys = [inbound.of_alertmanager(sent).key for sent in (first, more, a_notification(groupKey="other"))]

    assert keys[0] == keys[1] != keys[2]


def test_without_a_group_the_alerts_are_what_is_told_apart() -> None:
    bare = a_notification()
    del bare["groupKey"]
    other = {**bare, "alerts": [{**bare["alerts"][0], "fingerprint": "ffff"}]}

    keys = [inbound.of_alertmanager(sent).key for sent in (bare, dict(bare), other)]

    assert keys[0] == keys[1] != keys[2]


def test_a_pipeline_is_the_same_on_its_branch_whichever_step_fails() -> None:
    told = inbound.of_pipeline(
        pipeline="ci:pr", state="failed", step="lint", branch="main", commit="4f1c2d9", run="812"
    )
    again = inbound.of_pipeline(pipeline="ci:pr", state="passed", branch="main")
    elsewhere = inbound.of_pipeline(pipeline="ci:pr", state="failed", branch="next")

    assert told.title == "ci:pr fails at “lint” on main"
    assert told.trigger == "ci_failure"
    assert told.facts == [
        ["pipeline", "ci:pr"],
        ["step", "lint"],
        ["branch", "main"],
        ["commit", "4f1c2d9"],
        ["run", "812"],
    ]
    assert (told.key == again.key, again.is_resolved, told.key == elsewhere.key) == (True, True, False)


@pytest.mark.parametrize(
    "address",
    [
        "https://ci.example.org/runs/812",
        "http://prometheus:9090/graph?g0.expr=up%7B%7D",
        "http://10.0.0.7/x",
        "http://[fd00::1]:9090/",
    ],
)
def test_a_web_address_is_a_link(address: str) -> None:
    assert inbound.link(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "file:///etc/passwd",
        "ftp://a.test/",
        "//a.test/",
        "/incidents/",
        "https://",
        "https://user:pass@a.test/",
        "https://a.test@evil.test/",
        "https://a.test:99999/",
        "https://a.test:0/",
        "https://[::1",
        'https://a.test/"onmouseover="x',
        "https://a.test/<script>",
        "https://a.test/a b",
        "https://a.test/\n",
        "https://\u0430.test/",
        "https://a.test\\@b.test/",
        "https://a.test/" + "x" * 500,
        None,
        7,
        ["https://a.test/"],
    ],
)
def test_whatever_else_is_none(address: Any) -> None:
    assert inbound.link(address) == ""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("  two\n\tlines\r ", "two lines"),
        ("a\x00b\x1b[31mc\x7f", "ab[31mc"),
        ("left\u202eright\u2066\ufeff", "leftright"),
        ("half \ud800 a pair", "half  a pair"),
        ("x" * 201, "x" * 199 + "…"),
        ("<b>{{ x }}</b>", "<b>{{ x }}</b>"),
        (7, ""),
        (None, ""),
    ],
)
def test_a_text_becomes_one_plain_line(text: Any, shown: str) -> None:
    assert inbound.line(text, 200) == shown


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(a_notification())), JSON))
def test_no_notification_breaks_the_reading(changes: dict[str, Any]) -> None:
    told = inbound.of_alertmanager(a_notification(**changes))

    assert 0 < len(told.title) <= 200
    assert (len(told.text) <= 1000, len(told.link) <= 500, len(told.trigger) <= 40) == (True, True, True)
    assert len(told.facts) <= 20
    assert len(told.alerts) <= 20


def test_ten_thousand_alerts_are_read_at_once() -> None:
    alert = a_notification()["alerts"][0]
    begun = time.monotonic()

    told = inbound.of_alertmanager(a_notification(alerts=[alert] * 10_000))

    assert (len(told.alerts), told.facts[0]) == (20, ["alerts", "10000"])
    assert time.monotonic() - begun < 1

"""An outside system that was started by a webhook and calls back, signed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from django.test import Client
from standardwebhooks.webhooks import Webhook

from incidents import dispatch
from incidents.models import Attempt, Connector, EvidenceEntry, Incident, Wiring
from incidents.steps import rollback
from incidents.terms import Kind, Phase, Role
from tests.factories import Crew, make_incident
from tests.incidents.connectors.given import KEY
from tests.incidents.connectors.servers import Answer, Receiver

Begin = Callable[..., tuple[Incident, Attempt]]
ACTION = "3e-revoke"
OTHER_KEY = "whsec_" + "QUJD" * 10


@pytest.fixture
def begun(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Begin]:
    """`begun(crew)`: an attempt that a webhook has started and that waits for its callback."""
    server = Receiver(Answer(202, {}, b'{"id": "run-1"}'))
    settings.OUTBOUND_HOSTS = settings.OUTBOUND_PRIVATE_HOSTS = [server.url.split("/")[2]]
    monkeypatch.setenv("HOOK_SECRET", KEY)

    def begin(crew: Crew, **config: Any) -> tuple[Incident, Attempt]:
        wanted = {"url": server.url, "wait_for": "callback"} | config
        connector = Connector.objects.create(
            name=f"Hook of {crew.product}", kind="webhook", config=wanted, secret="env:HOOK_SECRET"
        )
        Wiring.objects.create(product=crew.product, key=ACTION, connector=connector)
        incident = make_incident(crew, at=Phase.ROLLING_BACK)
        action = incident.actions.get(key=ACTION)
        rollback.approve(action, by=crew.commander)
        attempt = rollback.dispatch(action, by=crew[Role(action.owner)])
        dispatch.run_attempt(attempt.pk)
        attempt.refresh_from_db()
        return incident, attempt

    yield begin
    server.close()


def report(attempt: Attempt, state: str = "succeeded", **fields: Any) -> dict[str, Any]:
    return {"attempt": str(attempt.pk), "epoch": 1, "state": state, **fields}


def send(
    attempt: Attempt | Any,
    body: Any,
    *,
    message: str = "msg_1",
    at: datetime | None = None,
    key: str = KEY,
    **headers: str,
) -> Any:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    sent = at or datetime.now(UTC)
    signed = {
        "webhook-id": message,
        "webhook-timestamp": str(int(sent.timestamp())),
        "webhook-signature": Webhook(key).sign(message, sent, raw.decode("utf-8", "replace")),
    }
    url = f"/api/v1/attempts/{getattr(attempt, 'pk', attempt)}/callback"
    client = Client(enforce_csrf_checks=True)
    return client.post(url, raw, content_type="application/json", headers=signed | headers)


def ends(incident: Incident) -> list[str]:
    """What the log says after the start."""
    found = EvidenceEntry.objects.filter(chain=incident.chain, kind__startswith="action.").order_by("seq")
    return [entry.kind for entry in found][3:]


FOLLOWED = [Kind.ACTION_FOLLOWED]

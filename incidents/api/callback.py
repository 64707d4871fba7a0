"""An outside system says how an attempt goes: signed with its connector's secret, and about that attempt alone."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

import structlog
from django.http import HttpRequest
from ninja import Router
from ninja.errors import HttpError
from ninja.security import APIKeyHeader
from pydantic import BaseModel, Field

from incidents import clock, dispatch
from incidents.api.strict import Given, Text, Whole, bound_body
from incidents.connectors import output, signing
from incidents.models import Attempt
from incidents.steps import following
from incidents.steps.base import Refused
from incidents.steps.following import Heard, Seen
from incidents.terms import AttemptState, ConnectorKind

LONGEST_BODY = 256 * 1024
LONGEST_ID = 150
UNSIGNED = "The message is not signed with a secret of this attempt's connector, or not within the last five minutes."

router = Router(tags=["attempts"])
log = structlog.get_logger()


class Signed(APIKeyHeader):
    """Standard Webhooks: `webhook-id`, `webhook-timestamp` and `webhook-signature` over the raw body."""

    param_name = "webhook-signature"

    def authenticate(self, request: HttpRequest, key: str | None) -> Attempt:
        """The attempt that the address names, for whoever holds its connector's secret."""
        bound_body(request, LONGEST_BODY)
        found = _waiting(request.resolver_match.kwargs["attempt_id"] if request.resolver_match else None)
        message, stamp = request.headers.get("webhook-id", ""), request.headers.get("webhook-timestamp", "")
        secret = dispatch.signing_secret(found) if found else ""
        is_whole = message.isascii() and message.isprintable() and 0 < len(message) <= LONGEST_ID and "." not in message
        if not (found and secret and is_whole and key) or not signing.is_signed(
            message, stamp, key, request.body, secret, clock.now()
        ):
            log.warning("callback.rejected", attempt=str(found.pk) if found else "none")
            raise HttpError(401, UNSIGNED)
        return found


def _waiting(attempt_id: Any) -> Attempt | None:
    """An attempt whose connector waits for a callback."""
    try:
        wanted = UUID(str(attempt_id))
    except ValueError:
        return None
    rows = Attempt.objects.select_related("action__connector", "action__incident")
    found = rows.filter(pk=wanted, action__connector__kind=ConnectorKind.WEBHOOK).first()
    connector = found.action.connector if found else None
    return found if connector and connector.config.get("wait_for") == "callback" else None


class Report(Given):
    """How the attempt goes."""

    attempt: UUID
    epoch: Whole = Field(ge=1, le=2_147_483_647, description="As it came with the message that started the attempt.")
    state: Literal["running", "succeeded", "failed"]
    sentence: Text = Field("", max_length=800, description="What happened, for people.")
    output: Text = Field("", max_length=LONGEST_BODY, description="What was printed so far, or in all.")
    ref: Text = Field("", max_length=200, description="What people find the run by: a link, or a number.")


class Taken(BaseModel):
    """What became of the message."""

    result: Heard = Field(description="`repeated`: known already. `late`: the attempt had ended otherwise.")


_STATES = {
    "running": (AttemptState.STARTED, "It says that it runs."),
    "succeeded": (AttemptState.SUCCEEDED, "It says that it is done."),
    "failed": (AttemptState.FAILED, "It says that it failed."),
}


@router.post("/{attempt_id}/callback", auth=Signed(), response=Taken)
def callback(request: HttpRequest, attempt_id: UUID, body: Report) -> dict[str, Heard]:
    """Say how an attempt goes. `attempt` and `epoch` come with the message that started it; both must fit."""
    attempt: Attempt = request.auth  # type: ignore[attr-defined]
    if body.attempt != attempt.pk:
        raise Refused("The message is about another attempt.")
    state, sentence = _STATES[body.state]
    secrets = signing.maskable(dispatch.signing_secret(attempt))
    kept = output.of(body.output.encode(), dispatch.limits().output_cap, secrets)
    words = output.of((body.sentence or sentence).encode(), LONGEST_BODY, secrets).text
    ref = output.of(body.ref.encode(), LONGEST_BODY, secrets).text
    seen = Seen(words, attempt.remote, ref, kept.text, kept.dropped)
    message = request.headers["webhook-id"]
    return {"result": following.hear(attempt, message, body.epoch, state, seen, kept.sha256)}

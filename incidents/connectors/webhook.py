"""Tell an outside system to act: one signed POST, at most once, judged by its answer.

The message id is the attempt, so a receiver that keeps ids never acts twice; one that keeps the highest `X-Fence` of a
target refuses a worker that was stalled. With `wait_for` an accepting answer is only the beginning, see `waiting`.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from incidents.connectors import outbound, output, signing, urls, waiting
from incidents.connectors.base import Alive, Config, Detail, Job, Limits, Outcome, Remote, State, unknown_settings
from incidents.connectors.failure import Forbidden, NoAnswer, NotSent
from incidents.connectors.masking import mask
from incidents.connectors.outbound import Reply, Request
from incidents.connectors.watch import Watch

SETTINGS = {"url", "idempotent", "ref_field", "wait_for", "status"}
EVENT = "lastgood.action.started"
# What these say is "I did not do it". Any other answer that is not 2xx leaves that open, redirects included.
REJECTED = {400, 401, 403, 404, 409, 410, 422}
BUSY = {429, 503}
LONGEST_WAIT_SECONDS = 86_400
LONGEST_REF = 200


def check(config: Config, limits: Limits) -> list[str]:
    """Return sentences why this webhook cannot work; nothing is resolved or sent."""
    problems = unknown_settings(config, SETTINGS) + urls.problems(config.get("url"), limits)
    if not isinstance(config.get("idempotent", False), bool):
        problems.append("idempotent must be true or false.")
    if not isinstance(config.get("ref_field", ""), str):
        problems.append("ref_field must name a field of the answer.")
    return problems + waiting.problems(config, limits)


def run(job: Job, limits: Limits, alive: Alive) -> Outcome:
    """Send the job once and say how it ended."""
    if problems := check(job.config, limits) + signing.problems(job.secret):
        return Outcome(state="failed", sentence=f"Nothing was sent. {problems[0]}", detail={"reason": "settings"})
    watch = Watch(job.deadline_seconds, alive, limits.alive_every_seconds)
    try:
        reply = outbound.exchange(_request(job), limits, watch)
    except NotSent as error:
        state: State = "failed" if isinstance(error, Forbidden) else "not_sent"
        return _without_answer(state, error, watch)
    except NoAnswer as error:
        return _waited_for(job, _without_answer("unknown", error, watch, error.status))
    return _judge(job, reply, limits, watch)


def poll(job: Job, limits: Limits, remote: Remote) -> Outcome:
    """Look how it goes, where the connector waits for the end."""
    return waiting.poll(job, limits, remote)


def thread(job: Job) -> Remote:
    """Return what finds the run if the answer to the start is lost; empty where nothing would."""
    return waiting.thread(job)


def _waited_for(job: Job, outcome: Outcome) -> Outcome:
    """An end that is not known may still be told, or asked for."""
    if outcome.state != "unknown" or not (remote := waiting.thread(job)):
        return outcome
    return replace(
        outcome, state="running", sentence=f"{outcome.sentence} What came of it is waited for.", remote=remote
    )


def _request(job: Job) -> Request:
    now = datetime.fromtimestamp(int(time.time()), UTC)
    body = json.dumps(_payload(job, now), ensure_ascii=True, separators=(",", ":"))
    headers = {"Content-Type": "application/json", "Idempotency-Key": job.idempotency_key, "X-Fence": str(job.fence)}
    headers |= signing.headers(str(job.attempt_id), now, body, job.secret or "")
    return Request("POST", job.config["url"], headers, body.encode())


def _payload(job: Job, now: datetime) -> dict[str, Any]:
    data = {
        "attempt": str(job.attempt_id),
        "idempotency_key": job.idempotency_key,
        "epoch": job.epoch,
        "fence": job.fence,
        "incident": job.incident,
        "action": job.action_key,
        "title": job.action_title,
        "product": job.product,
        "target": job.target,
        "arguments": dict(job.arguments),
    }
    if job.config.get("wait_for") == "callback":
        data["callback_url"] = job.callback_url
    return {"type": EVENT, "timestamp": now.isoformat().replace("+00:00", "Z"), "data": data}


def _without_answer(state: State, error: NotSent | NoAnswer, watch: Watch, status: int = 0) -> Outcome:
    detail: Detail = {"reason": error.reason, "duration_ms": watch.spent_ms}
    detail |= {"status": status} if status else {}
    return Outcome(state=state, sentence=str(error), detail=detail)


def _judge(job: Job, reply: Reply, limits: Limits, watch: Watch) -> Outcome:
    state, sentence, wait = _verdict(reply, is_idempotent=bool(job.config.get("idempotent")))
    kept = output.of(reply.body, limits.output_cap, signing.maskable(job.secret))
    detail: Detail = {"status": reply.status, "address": reply.peer, "duration_ms": watch.spent_ms}
    detail |= {"retry_after_seconds": wait} if wait is not None else {}
    detail |= {"body_cut_at": limits.max_body} if reply.is_cut else {}
    ref = _remote_ref(job, reply)
    outcome = Outcome(
        state=state,
        sentence=sentence,
        detail=detail,
        output=kept.text,
        output_bytes=kept.size,
        output_dropped=kept.dropped,
        output_sha256=kept.sha256,
        remote_ref=ref,
    )
    if state == "succeeded" and "wait_for" in job.config:
        return _accepted(outcome, waiting.remote_of(job, reply, ref, limits))
    return _waited_for(job, outcome)


def _accepted(outcome: Outcome, remote: Remote | str) -> Outcome:
    if isinstance(remote, str):
        sentence = f"{outcome.sentence} How it ends is not known: {remote}."
        return replace(outcome, state="unknown", sentence=sentence)
    return replace(outcome, state="running", remote=remote)


def _verdict(reply: Reply, *, is_idempotent: bool) -> tuple[State, str, int | None]:
    wait = _retry_after(reply) if reply.status in BUSY else None
    if 200 <= reply.status < 300:
        return "succeeded", f"The system accepted it (status {reply.status}).", None
    if reply.status in REJECTED:
        return "failed", f"The system rejected it (status {reply.status}).", None
    if wait is not None and is_idempotent:
        return "not_sent", f"The system was busy (status {reply.status}) and asks to be called again in {wait} s.", wait
    if 300 <= reply.status < 400:
        return "unknown", f"The system answered with a redirect (status {reply.status}), which is never followed.", None
    return "unknown", f"The system answered with status {reply.status}; whether it acted is not known.", wait


def _retry_after(reply: Reply) -> int | None:
    value = reply.headers.get("retry-after", "").strip()
    if value.isdecimal() and value.isascii():
        return min(int(value[:9]), LONGEST_WAIT_SECONDS)
    try:
        seconds = parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(0, round(seconds)), LONGEST_WAIT_SECONDS)


def _remote_ref(job: Job, reply: Reply) -> str:
    try:
        answer = json.loads(reply.body)
    except (ValueError, RecursionError):
        return ""
    value = answer.get(job.config.get("ref_field") or "id") if isinstance(answer, dict) else None
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return ""
    masked = mask(str(value), signing.maskable(job.secret))
    return output.clean(masked.encode("utf-8", "replace"))[:LONGEST_REF]

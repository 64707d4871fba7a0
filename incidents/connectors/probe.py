"""Ask whether something is well, for a gate: an HTTP answer or a command's exit code.

`fail` is a no of what was asked. `error` means that it could not be asked, or not be asked to the end; it is no pass
and no statement about the product either.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from incidents.connectors import command, failure, outbound, output, urls
from incidents.connectors.base import NOTHING_SHA256, Alive, Config, Detail, Job, Limits, Outcome, unknown_settings
from incidents.connectors.outbound import Reply, Request
from incidents.connectors.watch import Watch

Verdict: TypeAlias = Literal["pass", "fail", "error"]
SETTINGS = {"url", "expect_status", "expect_text"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """What a probe found; the output fields are those of `Outcome`."""

    outcome: Verdict
    sentence: str
    detail: Detail = field(default_factory=dict)
    output: str = ""
    output_bytes: int = 0
    output_dropped: int = 0
    output_sha256: str = NOTHING_SHA256


def check(config: Config, limits: Limits) -> list[str]:
    """Return sentences why this probe cannot work: `{url, expect_status?, expect_text?}` or a command's settings."""
    if "command" in config:
        return command.check(config, limits)
    problems = unknown_settings(config, SETTINGS) + urls.problems(config.get("url"), limits)
    status = config.get("expect_status", 200)
    if not isinstance(status, int) or isinstance(status, bool) or not 200 <= status <= 599:
        problems.append("expect_status must be a number from 200 to 599.")
    if not isinstance(config.get("expect_text", ""), str):
        problems.append("expect_text must be text.")
    return problems


def run(job: Job, limits: Limits, alive: Alive) -> ProbeResult:
    """Ask once. A secret of the job goes out as bearer token."""
    if problems := check(job.config, limits):
        return ProbeResult(outcome="error", sentence=f"Nothing was asked. {problems[0]}", detail={"reason": "settings"})
    if "command" in job.config:
        return _by_command(command.run(job, limits, alive))
    watch = Watch(job.deadline_seconds, alive, limits.alive_every_seconds)
    headers = {"Accept": "*/*"} | ({"Authorization": f"Bearer {job.secret}"} if job.secret else {})
    try:
        reply = outbound.exchange(Request("GET", job.config["url"], headers), limits, watch)
    except (failure.NotSent, failure.NoAnswer) as error:
        detail: Detail = {"reason": error.reason, "duration_ms": watch.spent_ms}
        return ProbeResult(outcome="error", sentence=str(error), detail=detail)
    return _by_reply(job, reply, limits, watch)


def _by_command(outcome: Outcome) -> ProbeResult:
    verdicts: dict[str | int, Verdict] = {0: "pass"}
    code = outcome.detail.get("exit_code")
    return ProbeResult(
        outcome="error" if code is None else verdicts.get(code, "fail"),
        sentence=outcome.sentence,
        detail=outcome.detail,
        output=outcome.output,
        output_bytes=outcome.output_bytes,
        output_dropped=outcome.output_dropped,
        output_sha256=outcome.output_sha256,
    )


def _by_reply(job: Job, reply: Reply, limits: Limits, watch: Watch) -> ProbeResult:
    outcome, sentence = _verdict(job.config, reply)
    kept = output.of(reply.body, limits.output_cap, [job.secret or ""])
    return ProbeResult(
        outcome=outcome,
        sentence=sentence,
        detail={"status": reply.status, "address": reply.peer, "duration_ms": watch.spent_ms},
        output=kept.text,
        output_bytes=kept.size,
        output_dropped=kept.dropped,
        output_sha256=kept.sha256,
    )


def _verdict(config: Config, reply: Reply) -> tuple[Verdict, str]:
    status, text = config.get("expect_status", 200), config.get("expect_text", "")
    if reply.status != status:
        return "fail", f"Status {reply.status} came back where {status} was expected."
    if text.encode() not in reply.body:
        where = "the part of the answer that was read" if reply.is_cut else "the answer"
        return "fail", f"The expected text is not in {where}."
    return "pass", f"Status {status} came back{' with the expected text' if text else ''}."

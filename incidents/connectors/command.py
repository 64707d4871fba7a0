"""Run a command that the operator allows, once, and judge it by its exit code.

The program gets, besides the variables its entry lists, what it needs to refuse a repeated or outdated start:
LASTGOOD_ATTEMPT_ID, LASTGOOD_IDEMPOTENCY_KEY, LASTGOOD_EPOCH, LASTGOOD_FENCE, LASTGOOD_INCIDENT, LASTGOOD_ACTION,
LASTGOOD_PRODUCT and LASTGOOD_TARGET; LASTGOOD_SECRET when the connector has a secret; LASTGOOD_DRY_RUN=1 in a dry run.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Mapping
from typing import Any

from incidents.connectors import allowlist, process
from incidents.connectors.allowlist import Command
from incidents.connectors.allowlist_shape import is_passable
from incidents.connectors.base import Alive, Config, Detail, Job, Limits, Outcome, State, unknown_settings
from incidents.connectors.output import Capture, Show
from incidents.connectors.process import CannotStart, Ending, Program
from incidents.connectors.watch import NotOurs, Watch

SETTINGS = {"command", "arguments"}
BASE_ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
SECRET_NAME = re.compile(r"SECRET|TOKEN|PASSW|CREDENTIAL|(?:^|_)KEY", re.IGNORECASE)


def check(config: Config, limits: Limits) -> list[str]:
    """Return sentences why this command cannot work here; nothing is started."""
    problems = unknown_settings(config, SETTINGS)
    fixed = config.get("arguments", {})
    if not isinstance(fixed, Mapping):
        return [*problems, "arguments must be an object of texts."]
    try:
        command = allowlist.find(config.get("command"), limits)
    except ValueError as error:
        return [*problems, str(error)]
    return problems + command.problems(fixed, is_complete=False)


def run(job: Job, limits: Limits, alive: Alive) -> Outcome:
    """Run the command once and say how it ended."""
    return _run(job, limits, alive, is_dry=False)


def rehearse(job: Job, limits: Limits, alive: Alive) -> Outcome:
    """Run what the settings name as the command's dry run."""
    return _run(job, limits, alive, is_dry=True)


def rehearses(config: Config, limits: Limits) -> bool:
    """Whether the settings name a dry run of this command."""
    return not check(config, limits) and bool(allowlist.find(config["command"], limits).dry_run)


def _run(job: Job, limits: Limits, alive: Alive, *, is_dry: bool) -> Outcome:
    if problems := check(job.config, limits) or _argument_problems(job, limits):
        return Outcome(state="failed", sentence=f"Nothing was run. {problems[0]}", detail={"reason": "settings"})
    command = allowlist.find(job.config["command"], limits)
    if is_dry and not command.dry_run:
        sentence = f"Nothing was run. LASTGOOD_COMMANDS names no dry_run of {command.name}."
        return Outcome(state="failed", sentence=sentence, detail={"reason": "settings"})
    seconds = min(command.timeout_seconds, job.deadline_seconds)
    watch = Watch(seconds + process.GRACE_SECONDS, alive, limits.alive_every_seconds)
    program = _program(command, job, is_dry=is_dry)
    capture = Capture(limits.output_cap, _secrets(program.env, job))
    try:
        watch.confirm()
        ending = process.run(program, seconds, watch, capture, Show(capture, limits.show).pulse)
    except NotOurs:
        return _not_begun("not_ours", "Nothing was run: this attempt was taken back before it began.")
    except CannotStart as error:
        return _not_begun("no_process", f"Nothing was run: this machine could not start a process ({error}).")
    return _judge(command, ending, capture, seconds, watch)


def _argument_problems(job: Job, limits: Limits) -> list[str]:
    fixed = job.config.get("arguments", {})
    command = allowlist.find(job.config["command"], limits)
    clashes = [key for key, value in job.arguments.items() if fixed.get(key, value) != value]
    found = [f"The argument {key!r} is fixed by the connector." for key in clashes]
    if not all(map(is_passable, [job.incident, job.product, job.target, job.action_key, job.secret or ""])):
        found.append("A text of this job has characters that cannot be handed to a program.")
    return found + command.problems(_values(command, job))


def _values(command: Command, job: Job) -> dict[str, Any]:
    known = {"incident": job.incident, "product": job.product, "target": job.target}
    ours = {key: value for key, value in known.items() if key in command.arguments}
    return ours | dict(job.arguments) | dict(job.config.get("arguments", {}))


def _program(command: Command, job: Job, *, is_dry: bool) -> Program:
    attempt = {"LASTGOOD_ATTEMPT_ID": str(job.attempt_id)}
    env = BASE_ENV | {name: os.environ[name] for name in command.env if name in os.environ} | attempt
    env |= {
        "LASTGOOD_IDEMPOTENCY_KEY": job.idempotency_key,
        "LASTGOOD_EPOCH": str(job.epoch),
        "LASTGOOD_FENCE": str(job.fence),
        "LASTGOOD_INCIDENT": job.incident,
        "LASTGOOD_ACTION": job.action_key,
        "LASTGOOD_PRODUCT": job.product,
        "LASTGOOD_TARGET": job.target,
    }
    env |= {"LASTGOOD_SECRET": job.secret} if job.secret else {}
    env |= {"LASTGOOD_DRY_RUN": "1"} if is_dry else {}
    argv = command.filled(_values(command, job), is_dry=is_dry)
    return Program(argv, env, command.cwd, command.rlimits, f"LASTGOOD_ATTEMPT_ID={job.attempt_id}")


def _secrets(env: Mapping[str, str], job: Job) -> list[str]:
    passed_on = [value for name, value in env.items() if SECRET_NAME.search(name) and not name.startswith("LASTGOOD_")]
    return [*passed_on, job.secret or ""]


def _not_begun(reason: str, sentence: str) -> Outcome:
    return Outcome(state="not_sent", sentence=sentence, detail={"reason": reason})


def _judge(command: Command, ending: Ending, capture: Capture, seconds: float, watch: Watch) -> Outcome:
    state, sentence, detail = _verdict(command.name, ending, seconds)
    kept = capture.finish()
    if ending.left:
        sentence += f" Processes that it left running were ended: {ending.left}."
    if ending.survivors:
        sentence += f" Processes that could not be ended and may still run: {ending.survivors}."
    counts: Detail = {"left": ending.left, "survivors": ending.survivors, "duration_ms": watch.spent_ms}
    return Outcome(
        state=state,
        sentence=sentence,
        detail={"command": command.name} | detail | counts,
        output=kept.text,
        output_bytes=kept.size,
        output_dropped=kept.dropped,
        output_sha256=kept.sha256,
    )


def _verdict(name: str, ending: Ending, seconds: float) -> tuple[State, str, Detail]:
    why: Detail = {"reason": ending.how}
    match ending:
        case Ending("exited", int(code)):
            return _by_code(name, code)
        case Ending("deadline"):
            return "unknown", f"{name} was stopped at its deadline of {seconds:g} s; how far it came is not known.", why
        case Ending("let_go"):
            return (
                "unknown",
                f"{name} was stopped because this attempt was taken back; how far it came is not known.",
                why,
            )
        case Ending("cannot_start"):
            return "failed", f"Nothing was run: {name} could not be started ({ending.error}).", why
        case Ending("never_began"):
            return "not_sent", f"Nothing was run: the process that watches {name} ended before it began.", why
    return "unknown", f"{name} was lost: the process that watched it was ended from outside.", why


def _by_code(name: str, code: int) -> tuple[State, str, Detail]:
    if code < 0:
        return "failed", f"{name} was ended by {_signal(-code)}.", {"reason": "signal", "signal": -code}
    state: State = "failed" if code else "succeeded"
    return state, f"{name} ended with exit code {code}.", {"reason": "exited", "exit_code": code}


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

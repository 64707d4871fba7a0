"""How a webhook waits for the end of what it started: the system calls back, or is asked for its state.

`{"wait_for": "callback"}` asks nothing. `{"wait_for": "status", "status": {…}}` asks one address again and again, which
a template names (`url`, with the job's facts and `{ref}` for what the answer named) or a field of the answer
(`url_field`); `field` holds the state, and the words say what it means.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from incidents.connectors import outbound, output, signing, urls, values
from incidents.connectors.base import Config, Job, Limits, Outcome, Remote, State, unknown_settings
from incidents.connectors.failure import NoAnswer, NotSent
from incidents.connectors.masking import mask
from incidents.connectors.outbound import Reply, Request
from incidents.connectors.session import field_of
from incidents.connectors.watch import Watch

SETTINGS = {"url", "url_field", "field", "running", "succeeded", "failed", "output_field"}
WAYS = ("callback", "status")
LOOK_SECONDS = 10.0
LONGEST_WORD = 100
REF = "{ref}"


def problems(config: Config, limits: Limits) -> list[str]:
    """Return sentences why these settings cannot work."""
    how, status = config.get("wait_for"), config.get("status")
    if how is None:
        return ["status is only used with wait_for."] if status is not None else []
    if how not in WAYS:
        return ["wait_for must be callback or status."]
    if how == "callback":
        return ["status is not used with a callback."] if status is not None else []
    if not isinstance(status, Mapping):
        return ["status must be an object: where to ask, and which words mean what."]
    return [f"status: {problem}" for problem in _status_problems(status, limits)]


def _status_problems(status: Mapping[str, Any], limits: Limits) -> list[str]:
    found = unknown_settings(status, SETTINGS)
    if ("url" in status) == ("url_field" in status):
        found.append("give either url or url_field.")
    for name in ("url", "url_field", "field", "output_field"):
        if name in status and not (isinstance(status[name], str) and status[name]):
            found.append(f"{name} must be a text.")
    if isinstance(status.get("url"), str):
        found += urls.problems(values.PLACE.sub("x", status["url"]), limits)
        unknown = [place for place in values.unknown_places([status["url"]]) if place != REF]
        found += [f"url uses {place}, which is no fact of a job." for place in unknown]
    for name in ("running", "succeeded", "failed"):
        words = status.get(name, ["x"] if name == "running" else None)
        if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
            found.append(f"{name} must be a list of the words that mean it.")
    return found


def thread(job: Job) -> Remote:
    """What finds the run although no answer to the start came; empty where nothing does."""
    if job.config.get("wait_for") == "callback":
        return {"wait": "callback"}
    template = job.config.get("status", {}).get("url") if job.config.get("wait_for") == "status" else None
    return {"wait": "status", "url": _filled(template, job, "")} if template and REF not in template else {}


def remote_of(job: Job, reply: Reply, ref: str, limits: Limits) -> Remote | str:
    """What a look needs, from the answer to the start; or the sentence why it cannot be followed."""
    if job.config["wait_for"] == "callback":
        return {"wait": "callback"}
    status = job.config["status"]
    if "url" in status:
        if REF in status["url"] and not ref:
            return "its answer names nothing to ask about"
        url = _filled(status["url"], job, ref)
    else:
        url = field_of(_json(reply), *_way(status["url_field"]))
    if wrong := urls.problems(url, limits):
        return f"it cannot be asked for its state: {wrong[0].rstrip('.')}"
    return {"wait": "status", "url": url}


def poll(job: Job, limits: Limits, remote: Remote) -> Outcome:
    """Look how it goes. A system that calls back is not asked."""
    if remote.get("wait") != "status":
        return Outcome(state="running", sentence="It was accepted; its callback is waited for.", remote=remote)
    watch = Watch(LOOK_SECONDS, lambda: True, LOOK_SECONDS)
    now = datetime.fromtimestamp(int(time.time()), UTC)
    headers = {"Accept": "application/json"} | signing.headers(str(job.attempt_id), now, "", job.secret or "")
    try:
        reply = outbound.exchange(Request("GET", remote["url"], headers), limits, watch)
    except (NotSent, NoAnswer) as error:
        return _no_answer(remote, error.reason, str(error))
    if reply.status != 200 or reply.is_cut:
        return _no_answer(remote, "status", f"Asked for its state, it answered with status {reply.status}.")
    return _read(job, limits, remote, _json(reply))


def _read(job: Job, limits: Limits, remote: Remote, found: Any) -> Outcome:
    status = job.config["status"]
    word = _word(field_of(found, *_way(status.get("field", "state"))))
    shown = output.clean(mask(word, signing.maskable(job.secret)).encode())[:LONGEST_WORD]
    said = field_of(found, *_way(status["output_field"])) if "output_field" in status else ""
    kept = output.of(_word(said).encode("utf-8", "replace"), limits.output_cap, signing.maskable(job.secret))
    state: State = "running"
    sentence = f"Its state is “{shown}”."
    if word in status["succeeded"] or word in status["failed"]:
        state = "succeeded" if word in status["succeeded"] else "failed"
        sentence = f"It ended with the state “{shown}”."
    elif word not in status.get("running", [word]):
        sentence = f"Its state is “{shown}”, which none of the words explain."
    return Outcome(
        state=state,
        sentence=sentence,
        output=kept.text,
        output_bytes=kept.size,
        output_dropped=kept.dropped,
        output_sha256=kept.sha256,
        remote=remote,
    )


def _no_answer(remote: Remote, reason: str, sentence: str) -> Outcome:
    return Outcome(state="running", sentence=sentence, detail={"reason": reason}, remote=remote)


def _filled(template: str, job: Job, ref: str) -> str:
    """Put the job's facts in an address, each as one part of it whatever characters it has."""
    facts = values.facts(job) | {"ref": ref}
    return values.PLACE.sub(lambda found: quote(facts.get(found[1], found[0]), safe=""), template)


def _way(field: str) -> list[str | int]:
    """`builds.0.state` as the names and numbers that lead there."""
    return [int(part) if part.isdecimal() else part for part in field.split(".")]


def _word(value: Any) -> str:
    """A value of JSON as a text: `0`, `true` and `null` as they stand there."""
    return value if isinstance(value, str) else json.dumps(value)


def _json(reply: Reply) -> Any:
    try:
        return json.loads(reply.body)
    except (ValueError, RecursionError):
        return None

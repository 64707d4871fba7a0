"""Rundeck: run a job and follow its execution."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from incidents.connectors import values
from incidents.connectors.base import Config, Finding, Job, Outcome, Remote, State
from incidents.connectors.ci import System, asked
from incidents.connectors.outbound import Reply
from incidents.connectors.session import Call, Session, Unclear, field_of, rows, segment

API = "/api/41"
LISTED = 20
LINES = 500
GOES_ON = {"running", "scheduled", "queued"}


class Rundeck(System):
    label = "Rundeck"
    takes = {"job": str}
    needs = ("job",)
    can_find = True

    def headers(self, config: Config, secret: str) -> dict[str, str]:
        return {"X-Rundeck-Auth-Token": secret}

    def prepare(self, job: Job, session: Session) -> tuple[Call, Remote]:
        return Call("POST", f"{_job(job.config)}/run", {"options": values.of(job)}), self.thread(job)

    def begun(self, job: Job, session: Session, reply: Reply, remote: Remote) -> Outcome:
        found = session.read(reply)
        number = field_of(found, "id")
        if not isinstance(number, int):
            raise Unclear("no_run", "the answer names no execution", reply.status)
        link = str(field_of(found, "permalink") or number)
        remote = {"id": str(number), "link": link}
        return self.told(session, "running", f"Rundeck started execution {number}.", remote=remote, ref=link)

    def find(self, job: Job, session: Session, remote: Remote) -> Remote | None:
        found = session.get(f"{_job(job.config)}/executions?max={LISTED}")
        for execution in rows(field_of(found, "executions")):
            given = f"{field_of(execution, 'job', 'options')} {execution.get('argstring')}"
            if remote["find"] in given:
                return {"id": str(execution.get("id")), "link": str(execution.get("permalink") or "")}
        return None

    def look(self, job: Job, session: Session, remote: Remote) -> Outcome:
        path = f"{API}/execution/{segment(remote['id'])}"
        execution = session.get(path)
        state, sentence = _verdict(remote["id"], execution, session)
        again = field_of(execution, "retriedExecution", "id")
        if isinstance(again, int):
            link = str(field_of(execution, "retriedExecution", "permalink") or again)
            remote, state = {"id": str(again), "link": link}, "running"
            sentence += f" Rundeck tries again as execution {again}."
        entries = rows(field_of(session.get(f"{path}/output?lastlines={LINES}"), "entries"))
        said = "\n".join(str(entry.get("log")) for entry in entries).encode("utf-8", "replace")
        return self.told(session, state, sentence, remote=remote, ref=remote.get("link") or remote["id"], said=said)

    def findings(self, config: Config, session: Session, secret: str) -> Iterator[Finding]:
        found, info = asked(
            session,
            f"{_job(config)}/info",
            "The token sees the job.",
            status_401="Rundeck does not accept the token: it is wrong or expired.",
            status_403="The token is not accepted, or lacks the right to read this job.",
            status_404="There is no such job.",
        )
        yield found
        if info is None:
            return
        if field_of(info, "enabled") is False:
            yield Finding(False, "Executions of the job are switched off.")
        definition = session.get(f"{_job(config)}?format=json")
        declared = {str(row.get("name")): row for row in rows(field_of(definition, 0, "options"))}
        given = set(config.get("values", {}))
        if unknown := sorted(given - set(declared)):
            yield Finding(False, f"The job has no option {', '.join(unknown)}.")
        needed = {name for name, row in declared.items() if row.get("required") and not row.get("value")} - given
        if needed:
            names = ", ".join(sorted(needed))
            yield Finding(None, f"The job asks for {names}: give it with the values, or with the action's arguments.")
        mode = session.ask(f"{API}/system/executions/status")
        if mode.status == 503:
            yield Finding(False, "Rundeck is in passive mode: it runs nothing.")
        yield Finding(None, "Whether the token may run the job cannot be asked; it shows at the first start.")


def _job(config: Config) -> str:
    return f"{API}/job/{segment(config['job'])}"


def _verdict(number: str, execution: Any, session: Session) -> tuple[State, str]:
    status = session.clean(str(field_of(execution, "customStatus") or field_of(execution, "status")))
    if field_of(execution, "status") == "succeeded":
        return "succeeded", f"Execution {number} succeeded."
    if field_of(execution, "status") in GOES_ON:
        return "running", f"Execution {number} is {status}."
    return "failed", f"Execution {number} ended as {status}."


CONNECTOR = Rundeck()

"""Jenkins: queue a build with parameters, follow it from the queue to its end.

The secret is `user:API token`, which needs no crumb. Jenkins drops a parameter that the job does not declare and says
nothing, so the job is asked for its parameters first.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any

from incidents.connectors import values
from incidents.connectors.base import Config, Finding, Job, Outcome, Remote, State
from incidents.connectors.ci import System, asked, refused
from incidents.connectors.outbound import Reply
from incidents.connectors.session import Call, Session, Unclear, field_of, rows, segment

LISTED = 20
QUEUE_ITEM = re.compile(r"/queue/item/(\d{1,18})/?$")
JOB_TREE = "tree=buildable,property%5BparameterDefinitions%5Bname%5D%5D"
BUILDS_TREE = f"tree=builds%5Bnumber,queueId,actions%5Bparameters%5Bname,value%5D%5D%5D%7B0,{LISTED}%7D"


class Jenkins(System):
    label = "Jenkins"
    takes = {"job": str}
    needs = ("job",)
    can_find = True

    def secret_problems(self, config: Config, secret: str | None) -> list[str]:
        found = super().secret_problems(config, secret)
        return found or ([] if ":" in (secret or "") else ["The secret must be a user name, a colon and an API token."])

    def secrets_of(self, secret: str) -> list[str]:
        return [secret, secret.partition(":")[2]]

    def headers(self, config: Config, secret: str) -> dict[str, str]:
        return {"Authorization": f"Basic {base64.b64encode(secret.encode()).decode()}"}

    def prepare(self, job: Job, session: Session) -> tuple[Call, Remote] | Outcome:
        given, path = values.of(job), _path(job.config)
        description = session.get(f"{path}/api/json?{JOB_TREE}")
        if field_of(description, "buildable") is False:
            return refused(self.label, "The job is switched off in Jenkins.")
        if dropped := sorted(set(given) - _parameters(description)):
            return refused(self.label, _would_drop(dropped))
        if given:
            return Call("POST", f"{path}/buildWithParameters", form=given), self.thread(job)
        return Call("POST", f"{path}/build", form={}), self.thread(job)

    def begun(self, job: Job, session: Session, reply: Reply, remote: Remote) -> Outcome:
        item = QUEUE_ITEM.search(reply.headers.get("location", ""))
        if item is None:
            raise Unclear("no_run", "the answer names no queue item", reply.status)
        return self.told(
            session,
            "running",
            f"Jenkins queued it as item {item[1]}.",
            remote={"queue": item[1]},
            ref=f"queue item {item[1]}",
        )

    def find(self, job: Job, session: Session, remote: Remote) -> Remote | None:
        found = session.get(f"{_path(job.config)}/api/json?{BUILDS_TREE}")
        for build in rows(field_of(found, "builds")):
            is_ours = str(build.get("queueId")) == remote.get("queue") or remote.get("find") in _values_of(build)
            if is_ours:
                return {"id": str(build.get("number"))}
        return None

    def look(self, job: Job, session: Session, remote: Remote) -> Outcome:
        if "id" not in remote:
            waiting = self._in_queue(job, session, remote)
            if isinstance(waiting, Outcome):
                return waiting
            remote = waiting
        path = f"{_path(job.config)}/{segment(remote['id'])}"
        build = session.get(f"{path}/api/json?tree=building,result,url")
        link = str(field_of(build, "url") or f"{session.base}{path}/")
        state, sentence = _verdict(remote["id"], build, session)
        start = max(0, int(remote.get("printed", 0)) - session.limits.output_cap)
        reply = session.ask(f"{path}/logText/progressiveText?start={start}")
        said = reply.body if reply.status == 200 else b""
        printed = reply.headers.get("x-text-size", "")
        remote = remote | ({"printed": int(printed)} if printed.isdecimal() else {})
        return self.told(session, state, sentence, remote=remote, ref=link, said=said, dropped=start)

    def _in_queue(self, job: Job, session: Session, remote: Remote) -> Remote | Outcome:
        """The build that the queue item became; the item is gone some minutes after."""
        reply = session.ask(f"/queue/item/{remote['queue']}/api/json")
        if reply.status == 404:
            found = self.find(job, session, remote)
            if found is None:
                raise Unclear("no_run", "its queue item is gone and no build names it", 404)
            return found
        if reply.status != 200:
            raise Unclear("status", f"status {reply.status} came back{session.quoted(reply)}", reply.status)
        item = session.read(reply)
        ref = f"queue item {remote['queue']}"
        if field_of(item, "cancelled"):
            return self.told(session, "failed", "It was taken out of Jenkins's queue; it was not built.", ref=ref)
        number = field_of(item, "executable", "number")
        if isinstance(number, int):
            return {"id": str(number)}
        why = session.clean(str(field_of(item, "why") or ""))
        return self.told(session, "running", f"It waits in Jenkins's queue. {why}".strip(), remote=remote, ref=ref)

    def findings(self, config: Config, session: Session, secret: str) -> Iterator[Finding]:
        found, user = asked(
            session,
            "/me/api/json?tree=id",
            "Jenkins accepts the token.",
            status_401="Jenkins does not accept the user and the token.",
            status_403="The user lacks the right Overall/Read.",
        )
        yield found
        if user is None:
            return
        found, description = asked(
            session,
            f"{_path(config)}/api/json?{JOB_TREE}",
            "The user sees the job.",
            status_403="The user lacks the right Job/Read.",
            status_404="There is no such job, or the user lacks the right Job/Read.",
        )
        yield found
        if description is None:
            return
        if field_of(description, "buildable") is False:
            yield Finding(False, "The job is switched off in Jenkins.")
        if dropped := sorted(set(config.get("values", {})) - _parameters(description)):
            yield Finding(False, _would_drop(dropped))
        yield Finding(None, "Whether the user holds Job/Build cannot be asked; it shows at the first start.")


def _path(config: Config) -> str:
    return "".join(f"/job/{segment(part)}" for part in config["job"].strip("/").split("/"))


def _parameters(description: Any) -> set[str]:
    properties = rows(field_of(description, "property"))
    return {str(row.get("name")) for entry in properties for row in rows(entry.get("parameterDefinitions"))}


def _would_drop(names: list[str]) -> str:
    return f"The job declares no parameter {', '.join(names)}: Jenkins would drop it and say nothing."


def _values_of(build: dict[str, Any]) -> set[str]:
    actions = rows(build.get("actions"))
    return {str(row.get("value")) for action in actions for row in rows(action.get("parameters"))}


def _verdict(number: str, build: Any, session: Session) -> tuple[State, str]:
    result = field_of(build, "result")
    if field_of(build, "building") or result is None:
        return "running", f"Build {number} is running."
    if result == "SUCCESS":
        return "succeeded", f"Build {number} ended with success."
    return "failed", f"Build {number} ended as {session.clean(str(result)).lower()}."


CONNECTOR = Jenkins()

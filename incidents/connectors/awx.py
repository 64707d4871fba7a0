"""AWX, or Automation Controller: launch a job template or a workflow and follow the job.

A template that does not prompt for variables drops them, starts all the same and lists them as `ignored_fields`. It is
asked first; where it happens nevertheless, the job is cancelled and followed to its end, and the attempt has failed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from incidents.connectors import values
from incidents.connectors.base import Config, Finding, Job, Limits, Outcome, Remote, State
from incidents.connectors.ci import TROUBLE, Rehearsing, asked, refused
from incidents.connectors.outbound import Reply
from incidents.connectors.session import Call, Session, Unclear, field_of, rows, segment

LISTED = 20
ENDED_BADLY = {"failed", "error", "canceled"}


class AWX(Rehearsing):
    label = "AWX"
    takes = {"template": int, "workflow": bool, "limit": str, "api": str}
    needs = ("template",)
    can_find = True

    def headers(self, config: Config, secret: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {secret}"}

    def prepare(self, job: Job, session: Session) -> tuple[Call, Remote] | Outcome:
        return self._prepare(job, session, self._wanted(job))

    def prepare_dry(self, job: Job, session: Session) -> tuple[Call, Remote] | Outcome:
        if job.config.get("workflow"):
            return refused(self.label, "AWX knows no dry run of a workflow.")
        return self._prepare(job, session, self._wanted(job) | {"job_type": "check"})

    def rehearses(self, config: Config, limits: Limits) -> bool:
        """Whether there is a dry run: AWX checks a playbook, but no workflow."""
        return not config.get("workflow")

    def _prepare(self, job: Job, session: Session, body: dict[str, Any]) -> tuple[Call, Remote] | Outcome:
        if missing := _not_prompted(body, session.get(_launch(job.config))):
            return refused(self.label, missing)
        return Call("POST", _launch(job.config), body), self.thread(job)

    def _wanted(self, job: Job) -> dict[str, Any]:
        given, limit = values.of(job), values.fill(job.config.get("limit", ""), job)
        return ({"extra_vars": given} if given else {}) | ({"limit": limit} if limit else {})

    def begun(self, job: Job, session: Session, reply: Reply, remote: Remote) -> Outcome:
        found = session.read(reply)
        number = field_of(found, "workflow_job" if job.config.get("workflow") else "job") or field_of(found, "id")
        if not isinstance(number, int):
            raise Unclear("no_run", "the answer names no job", reply.status)
        remote = {"id": str(number)}
        ignored = field_of(found, "ignored_fields")
        if not ignored:
            return self.told(session, "running", f"AWX started job {number}.", remote=remote, ref=f"job {number}")
        names = session.clean(_named(ignored))
        remote["ignored"] = names
        cancelled = _cancelled(job.config, session, remote["id"])
        sentence = f"AWX ignored {names} and started job {number} without it. {cancelled}"
        return self.told(session, "running", sentence, remote=remote, ref=f"job {number}")

    def find(self, job: Job, session: Session, remote: Remote) -> Remote | None:
        kind = "workflow_job_template" if job.config.get("workflow") else "job_template"
        query = f"?{kind}={segment(str(job.config['template']))}&order_by=-id&page_size={LISTED}"
        for found in rows(field_of(session.get(_jobs(job.config) + query), "results")):
            if remote["find"] in str(found.get("extra_vars")):
                return {"id": str(found.get("id"))}
        return None

    def look(self, job: Job, session: Session, remote: Remote) -> Outcome:
        path = f"{_jobs(job.config)}{segment(remote['id'])}/"
        status = session.clean(str(field_of(session.get(path), "status")))
        state, sentence = _verdict(remote, status)
        said = b"" if job.config.get("workflow") else session.text(f"{path}stdout/?format=txt")
        return self.told(session, state, sentence, remote=remote, ref=f"job {remote['id']}", said=said)

    def findings(self, config: Config, session: Session, secret: str) -> Iterator[Finding]:
        found, user = asked(
            session,
            f"{_api(config)}/me/",
            "AWX accepts the token.",
            status_401="AWX does not accept the token: it is wrong, expired or revoked.",
        )
        yield found
        if user is None:
            return
        found, template = asked(
            session,
            _template(config),
            "The token sees the template.",
            status_403="The token's owner may not read the template.",
            status_404="There is no such template, or the token's owner may not read it.",
        )
        yield found
        if template is None:
            return
        may = field_of(template, "summary_fields", "user_capabilities", "start") is True
        yield Finding(may, "Its owner may start it." if may else "Its owner lacks the Execute role on the template.")
        asked_for = {"extra_vars": config.get("values")} if config.get("values") else {}
        asked_for |= {"limit": config["limit"]} if config.get("limit") else {}
        if missing := _not_prompted(asked_for, session.get(_launch(config))):
            yield Finding(False, missing)


def _api(config: Config) -> str:
    return "/" + (config.get("api") or "api/v2").strip("/")


def _template(config: Config) -> str:
    kind = "workflow_job_templates" if config.get("workflow") else "job_templates"
    return f"{_api(config)}/{kind}/{segment(str(config['template']))}/"


def _launch(config: Config) -> str:
    return f"{_template(config)}launch/"


def _jobs(config: Config) -> str:
    return f"{_api(config)}/{'workflow_jobs' if config.get('workflow') else 'jobs'}/"


def _not_prompted(body: dict[str, Any], launch: Any) -> str:
    """What the template would ignore, or asks for and would not get."""
    takes_variables = field_of(launch, "ask_variables_on_launch") or field_of(launch, "survey_enabled")
    if "extra_vars" in body and not takes_variables:
        return "The template does not prompt for variables: AWX would ignore them. Tick “Prompt on launch” there."
    if "limit" in body and field_of(launch, "ask_limit_on_launch") is False:
        return "The template does not prompt for a limit: AWX would ignore it. Tick “Prompt on launch” there."
    if "job_type" in body and not field_of(launch, "ask_job_type_on_launch"):
        return "The template does not prompt for the job type: tick “Prompt on launch” there for dry runs."
    needed = set(field_of(launch, "variables_needed_to_start") or []) - set(body.get("extra_vars") or {})
    if needed:
        return f"The template asks for {', '.join(sorted(map(str, needed)))}, which is not given."
    return "The template asks for a password." if field_of(launch, "passwords_needed_to_start") else ""


def _named(ignored: Any) -> str:
    """`limit, extra_vars (revision)`: the fields, and what was in those that hold several."""
    if not isinstance(ignored, dict):
        return str(ignored)
    return ", ".join(f"{key} ({', '.join(what)})" if isinstance(what, dict) else key for key, what in ignored.items())


def _cancelled(config: Config, session: Session, number: str) -> str:
    try:
        reply = session.send(Call("POST", f"{_jobs(config)}{segment(number)}/cancel/", {}))
    except TROUBLE:
        return "It could not be cancelled: do it in AWX."
    if reply.status in (200, 202):
        return "It was cancelled."
    return f"It could not be cancelled (status {reply.status}): do it in AWX."


def _verdict(remote: Remote, status: str) -> tuple[State, str]:
    number, ignored = remote["id"], remote.get("ignored")
    is_over = status == "successful" or status in ENDED_BADLY
    if ignored:
        ending = f"it ended as {status}" if is_over else f"it is {status}, and was told to stop"
        return "failed" if is_over else "running", f"AWX ran job {number} without {ignored}; {ending}."
    if not is_over:
        return "running", f"Job {number} is {status}."
    return ("succeeded" if status == "successful" else "failed"), f"Job {number} ended as {status}."


CONNECTOR = AWX()

"""GitLab: create a pipeline and follow it.

With `"token": "trigger"` the secret is a pipeline trigger token. It may start and nothing else, so an access token to
follow the pipeline with stands behind it, separated by a space.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from incidents.connectors import values
from incidents.connectors.base import Config, Finding, Job, Outcome, Remote, State
from incidents.connectors.ci import System, asked
from incidents.connectors.outbound import Reply
from incidents.connectors.session import Call, Session, Unclear, field_of, rows, segment

LISTED = 6
DEVELOPER = 30
ENDED_BADLY = {"failed", "canceled", "skipped"}


class GitLab(System):
    label = "GitLab"
    takes = {"project": str, "ref": str, "token": str}
    needs = ("project", "ref")
    default_url = "https://gitlab.com"
    can_find = True

    def own_problems(self, config: Config) -> list[str]:
        known = config.get("token", "access") in ("access", "trigger")
        return [] if known else ["token must be access or trigger."]

    def secret_problems(self, config: Config, secret: str | None) -> list[str]:
        found = super().secret_problems(config, secret)
        if not found and _is_trigger(config) and len((secret or "").split()) != 2:
            found.append(
                "The secret must be a trigger token, a space, and an access token (read_api) to follow the pipeline."
            )
        return found

    def secrets_of(self, secret: str) -> list[str]:
        return secret.split()

    def headers(self, config: Config, secret: str) -> dict[str, str]:
        return {"PRIVATE-TOKEN": secret.split()[-1]}

    def prepare(self, job: Job, session: Session) -> tuple[Call, Remote]:
        ref, given = values.fill(job.config["ref"], job), values.of(job)
        if _is_trigger(job.config):
            body: dict[str, Any] = {"token": (job.secret or "").split()[0], "ref": ref, "variables": given}
            return Call("POST", f"{_project(job.config)}/trigger/pipeline", body), self.thread(job)
        variables = [{"key": key, "value": value, "variable_type": "env_var"} for key, value in given.items()]
        return Call("POST", f"{_project(job.config)}/pipeline", {"ref": ref, "variables": variables}), self.thread(job)

    def begun(self, job: Job, session: Session, reply: Reply, remote: Remote) -> Outcome:
        found = session.read(reply)
        pipeline = field_of(found, "id")
        if not isinstance(pipeline, int):
            raise Unclear("no_run", "the answer names no pipeline", reply.status)
        link = str(field_of(found, "web_url") or pipeline)
        remote = {"id": str(pipeline), "link": link}
        return self.told(session, "running", f"GitLab created pipeline {pipeline}.", remote=remote, ref=link)

    def find(self, job: Job, session: Session, remote: Remote) -> Remote | None:
        """The newest pipelines of this ref, by their variables: asking for those needs the Maintainer role."""
        source = "trigger" if _is_trigger(job.config) else "api"
        ref = segment(values.fill(job.config["ref"], job))
        pipelines = f"{_project(job.config)}/pipelines"
        for found in rows(session.get(f"{pipelines}?ref={ref}&source={source}&per_page={LISTED}")):
            number = str(found.get("id"))
            variables = rows(session.get(f"{pipelines}/{segment(number)}/variables"))
            if any(remote["find"] in str(variable.get("value")) for variable in variables):
                return {"id": number, "link": str(found.get("web_url") or "")}
        return None

    def look(self, job: Job, session: Session, remote: Remote) -> Outcome:
        path = f"{_project(job.config)}/pipelines/{segment(remote['id'])}"
        state, sentence = _verdict(remote["id"], session.clean(str(field_of(session.get(path), "status"))))
        jobs = rows(session.get(f"{path}/jobs?per_page=50"))
        said = "\n".join(f"{row.get('stage')} / {row.get('name')}: {row.get('status')}" for row in jobs).encode()
        if state == "failed":
            said += _trace(job.config, session, jobs)
        return self.told(session, state, sentence, remote=remote, ref=remote.get("link") or remote["id"], said=said)

    def findings(self, config: Config, session: Session, secret: str) -> Iterator[Finding]:
        found, token = asked(
            session,
            "/api/v4/personal_access_tokens/self",
            "GitLab accepts the token.",
            status_401="GitLab does not accept the token: it is wrong, expired or revoked.",
        )
        yield found
        if token is None:
            return
        scope = "read_api" if _is_trigger(config) else "api"
        if not {"api", scope} & set(field_of(token, "scopes") or []):
            yield Finding(False, f"The token lacks the scope {scope}.")
        found, project = asked(
            session,
            _project(config),
            "The token sees the project.",
            status_404="The token does not see this project: its owner is no member of it, or its name is wrong.",
        )
        yield found
        if project is None:
            return
        if not _is_trigger(config) and _level(project) < DEVELOPER:
            yield Finding(False, "The token's owner needs at least the Developer role to create a pipeline.")
        yield from self._ref(config, session)

    def _ref(self, config: Config, session: Session) -> Iterator[Finding]:
        if "{" in config["ref"]:
            return
        ref = config["ref"]
        found, branch = asked(
            session,
            f"{_project(config)}/repository/branches/{segment(ref)}",
            f"The branch {ref} is there.",
            status_404=f"There is no branch {ref}; a tag of that name would do as well.",
        )
        yield found
        if field_of(branch, "protected") and not (field_of(branch, "can_push") or _is_trigger(config)):
            yield Finding(False, f"{ref} is protected: whoever may neither push nor merge there creates no pipeline.")


def _is_trigger(config: Config) -> bool:
    return bool(config.get("token") == "trigger")


def _project(config: Config) -> str:
    return f"/api/v4/projects/{segment(config['project'])}"


def _level(project: Any) -> int:
    levels = [field_of(project, "permissions", kind, "access_level") for kind in ("project_access", "group_access")]
    return max((level for level in levels if isinstance(level, int)), default=0)


def _verdict(pipeline: str, status: str) -> tuple[State, str]:
    if status == "success":
        return "succeeded", f"Pipeline {pipeline} ended with success."
    if status in ENDED_BADLY:
        return "failed", f"Pipeline {pipeline} ended as {status}."
    hint = " It waits for a job that is started by hand in GitLab." if status == "manual" else ""
    return "running", f"Pipeline {pipeline} is {status.replace('_', ' ')}.{hint}"


def _trace(config: Config, session: Session, jobs: list[dict[str, Any]]) -> bytes:
    """What the first failed job printed."""
    failed = next((job for job in jobs if job.get("status") == "failed"), None)
    if failed is None:
        return b""
    trace = session.text(f"{_project(config)}/jobs/{segment(str(failed.get('id')))}/trace")
    return f"\n\n{failed.get('name')}:\n".encode() + trace if trace else b""


CONNECTOR = GitLab()

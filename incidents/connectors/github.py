"""GitHub Actions: dispatch a workflow and follow its run.

The run's id comes with the answer (`return_run_details`). A server that does not know this yet answers without one;
then the run is found by the attempt's id, which the workflow shows in its name:
`run-name: Roll back (${{ inputs.attempt }})`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from incidents.connectors import values
from incidents.connectors.base import Config, Finding, Job, Outcome, Remote, State
from incidents.connectors.ci import System, asked
from incidents.connectors.outbound import Reply
from incidents.connectors.session import Call, Session, Unclear, field_of, rows, segment

LISTED = 20
WAITING = {"waiting": "It waits for an approval in GitHub.", "queued": "It waits for a runner."}


class GitHub(System):
    label = "GitHub"
    takes = {"repository": str, "workflow": str, "ref": str, "run_details": bool}
    needs = ("repository", "workflow", "ref")
    default_url = "https://api.github.com"
    can_find = True

    def own_problems(self, config: Config) -> list[str]:
        found = []
        if str(config.get("repository", "a/b")).count("/") != 1:
            found.append("repository must be owner/name.")
        if config.get("run_details") is False and not values.problems(config) and not values.echoes(config):
            found.append("Without run_details, one of the values must hold {attempt}, so that the run can be found.")
        return found

    def headers(self, config: Config, secret: str) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {secret}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }

    def prepare(self, job: Job, session: Session) -> tuple[Call, Remote]:
        body: dict[str, Any] = {"ref": values.fill(job.config["ref"], job), "inputs": values.of(job)}
        if job.config.get("run_details", True):
            body["return_run_details"] = True
        return Call("POST", f"{_workflow(job.config)}/dispatches", body), self.thread(job)

    def begun(self, job: Job, session: Session, reply: Reply, remote: Remote) -> Outcome:
        found = session.read(reply) if reply.body.strip() else {}
        run = field_of(found, "workflow_run_id")
        if not isinstance(run, int):
            raise Unclear("no_run", "the answer names no run", reply.status)
        link = str(field_of(found, "html_url") or run)
        return self.told(
            session, "running", f"GitHub started run {run}.", remote={"id": str(run), "link": link}, ref=link
        )

    def find(self, job: Job, session: Session, remote: Remote) -> Remote | None:
        found = session.get(f"{_workflow(job.config)}/runs?event=workflow_dispatch&per_page={LISTED}")
        for run in rows(field_of(found, "workflow_runs")):
            if remote["find"] in f"{run.get('display_title')} {run.get('name')}":
                return {"id": str(run.get("id")), "link": str(run.get("html_url") or "")}
        return None

    def look(self, job: Job, session: Session, remote: Remote) -> Outcome:
        path = f"{_repository(job.config)}/actions/runs/{segment(remote['id'])}"
        run = session.get(path)
        status, conclusion = str(field_of(run, "status")), str(field_of(run, "conclusion"))
        state, sentence = _verdict(remote["id"], session.clean(status), session.clean(conclusion))
        jobs = field_of(session.get(f"{path}/jobs?per_page=50"), "jobs")
        return self.told(
            session, state, sentence, remote=remote, ref=remote.get("link") or remote["id"], said=_steps(rows(jobs))
        )

    def findings(self, config: Config, session: Session, secret: str) -> Iterator[Finding]:
        found, repository = asked(
            session,
            _repository(config),
            "The token sees the repository.",
            status_401="GitHub does not accept the token: it is wrong, expired or revoked.",
            status_404="The token does not see this repository: it needs access to it, with Metadata: read.",
        )
        yield found
        if repository is None:
            return
        if field_of(repository, "permissions", "push") is False:
            yield Finding(False, "Its owner may not write to the repository, which starting a workflow asks for.")
        found, workflow = asked(
            session,
            _workflow(config),
            "The workflow is there.",
            status_403="The token may not read workflows: it lacks Actions: read and write.",
            status_404="There is no such workflow on the default branch, or the token lacks Actions: read and write.",
        )
        yield found
        if workflow is not None and field_of(workflow, "state") != "active":
            yield Finding(False, f"The workflow is switched off ({session.clean(str(field_of(workflow, 'state')))}).")
        if "{" not in config["ref"]:
            yield asked(
                session,
                f"{_repository(config)}/commits/{segment(config['ref'])}",
                f"The ref {config['ref']} is there.",
                status_404=f"There is no branch or tag {config['ref']}, or the token lacks Contents: read.",
                status_422=f"There is no branch or tag {config['ref']}.",
            )[0]
        yield Finding(None, "Whether the token holds Actions: write cannot be asked; it shows at the first start.")


def _repository(config: Config) -> str:
    owner, name = config["repository"].split("/")
    return f"/repos/{segment(owner)}/{segment(name)}"


def _workflow(config: Config) -> str:
    return f"{_repository(config)}/actions/workflows/{segment(config['workflow'])}"


def _verdict(run: str, status: str, conclusion: str) -> tuple[State, str]:
    if status != "completed":
        return "running", f"Run {run} is {status.replace('_', ' ')}. {WAITING.get(status, '')}".strip()
    if conclusion == "success":
        return "succeeded", f"Run {run} ended with success."
    return "failed", f"Run {run} ended as {conclusion.replace('_', ' ')}."


def _steps(jobs: list[dict[str, Any]]) -> bytes:
    """What can be shown of a run: its logs come by a redirect, which is not followed."""
    lines = []
    for job in jobs:
        lines.append(f"{job.get('name')}: {job.get('conclusion') or job.get('status')}")
        steps = rows(job.get("steps"))
        lines += [f"  {step.get('name')}: {step.get('conclusion') or step.get('status')}" for step in steps]
    return "\n".join(lines).encode("utf-8", "replace")


CONNECTOR = GitHub()

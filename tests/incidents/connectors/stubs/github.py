"""GitHub's REST API, as far as workflows go."""

from __future__ import annotations

import json
from typing import Any

from tests.incidents.connectors.servers import Answer, Heard
from tests.incidents.connectors.stubs.base import Stub, said

REPOSITORY = "/repos/acme/app"
RUN = {"status": "queued", "conclusion": None}


class GitHub(Stub):
    routes = (
        ("GET", REPOSITORY, "repository"),
        ("GET", f"{REPOSITORY}/commits/main", "commit"),
        ("GET", f"{REPOSITORY}/actions/workflows/rollback.yml", "workflow"),
        ("POST", f"{REPOSITORY}/actions/workflows/rollback.yml/dispatches", "dispatch"),
        ("GET", f"{REPOSITORY}/actions/workflows/rollback.yml/runs", "runs_of_workflow"),
        ("GET", rf"{REPOSITORY}/actions/runs/(\d+)", "run"),
        ("GET", rf"{REPOSITORY}/actions/runs/(\d+)/jobs", "jobs"),
    )

    def __init__(self) -> None:
        self.runs: list[dict[str, Any]] = []
        self.permissions = {"push": True}
        self.state = "active"
        self.knows_run_details = True
        super().__init__()

    def repository(self, heard: Heard) -> Answer:
        return said({"full_name": "acme/app", "permissions": self.permissions})

    def commit(self, heard: Heard) -> Answer:
        return said({"sha": "0" * 40})

    def workflow(self, heard: Heard) -> Answer:
        return said({"id": 7, "state": self.state})

    def dispatch(self, heard: Heard) -> Answer:
        asked = json.loads(heard.body)
        number = 9000 + len(self.runs)
        title = f"Roll back ({asked['inputs'].get('attempt', '')})"
        link = f"https://github.test/acme/app/actions/runs/{number}"
        self.runs.append({"id": number, "display_title": title, "html_url": link, **RUN})
        if not (self.knows_run_details and asked.get("return_run_details")):
            return Answer(204, {}, b"")
        return said({"workflow_run_id": number, "run_url": f"{self.url}/x", "html_url": link})

    def runs_of_workflow(self, heard: Heard) -> Answer:
        return said({"total_count": len(self.runs), "workflow_runs": self.runs[::-1]})

    def run(self, heard: Heard, number: str) -> Answer:
        return said(next(run for run in self.runs if run["id"] == int(number)))

    def jobs(self, heard: Heard, number: str) -> Answer:
        steps = [{"name": "Deploy", "status": "completed", "conclusion": "success"}]
        return said({"jobs": [{"name": "roll-back", "status": "in_progress", "conclusion": None, "steps": steps}]})

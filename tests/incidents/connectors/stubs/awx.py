"""AWX's API, as far as launches go."""

from __future__ import annotations

import json
from typing import Any

from tests.incidents.connectors.servers import Answer, Heard
from tests.incidents.connectors.stubs.base import Stub, said


class AWX(Stub):
    routes = (
        ("GET", "/api/v2/me/", "me"),
        ("GET", "/api/v2/job_templates/12/", "template"),
        ("GET", "/api/v2/job_templates/12/launch/", "asks"),
        ("POST", "/api/v2/job_templates/12/launch/", "launch"),
        ("GET", "/api/v2/jobs/", "listed"),
        ("GET", r"/api/v2/jobs/(\d+)/", "job"),
        ("GET", r"/api/v2/jobs/(\d+)/stdout/", "stdout"),
        ("POST", r"/api/v2/jobs/(\d+)/cancel/", "cancel"),
    )

    def __init__(self) -> None:
        self.jobs: list[dict[str, Any]] = []
        self.prompts = {"ask_variables_on_launch": True, "ask_limit_on_launch": True, "ask_job_type_on_launch": True}
        self.needed: list[str] = []
        self.ignores: list[str] = []
        self.may_start = True
        super().__init__()

    def me(self, heard: Heard) -> Answer:
        return said({"count": 1, "results": [{"username": "robot"}]})

    def template(self, heard: Heard) -> Answer:
        return said({"id": 12, "summary_fields": {"user_capabilities": {"start": self.may_start}}})

    def asks(self, heard: Heard) -> Answer:
        more = {"survey_enabled": False, "variables_needed_to_start": self.needed, "passwords_needed_to_start": []}
        return said(self.prompts | more)

    def launch(self, heard: Heard) -> Answer:
        asked = json.loads(heard.body)
        number = 500 + len(self.jobs)
        kept = {key: value for key, value in asked.get("extra_vars", {}).items() if key not in self.ignores}
        self.jobs.append({"id": number, "status": "pending", "extra_vars": json.dumps(kept)})
        self.jobs[-1]["job_type"] = asked.get("job_type", "run")
        ignored = {"extra_vars": dict.fromkeys(self.ignores, "x")} if self.ignores else {}
        return said({"job": number, "ignored_fields": ignored, "id": number, "status": "pending"}, 201)

    def listed(self, heard: Heard) -> Answer:
        return said({"count": len(self.jobs), "results": self.jobs[::-1]})

    def job(self, heard: Heard, number: str) -> Answer:
        return said(self._one(number))

    def _one(self, number: str) -> dict[str, Any]:
        return next(job for job in self.jobs if job["id"] == int(number))

    def stdout(self, heard: Heard, number: str) -> Answer:
        return Answer(200, {"Content-Type": "text/plain"}, b"PLAY [roll back] ***\nok: [prod]\n")

    def cancel(self, heard: Heard, number: str) -> Answer:
        self._one(number)["status"] = "canceled"
        return Answer(202, {}, b"")

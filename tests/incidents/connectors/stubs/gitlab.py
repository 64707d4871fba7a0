"""GitLab's REST API, as far as pipelines go."""

from __future__ import annotations

import json
from typing import Any

from tests.incidents.connectors.servers import Answer, Heard
from tests.incidents.connectors.stubs.base import TOKEN, Stub, said

PROJECT = "/api/v4/projects/acme%2Fapp"
TRIGGER = "glptt-tr1gger-Canary"


class GitLab(Stub):
    routes = (
        ("GET", "/api/v4/personal_access_tokens/self", "token"),
        ("GET", PROJECT, "project"),
        ("GET", f"{PROJECT}/repository/branches/main", "branch"),
        ("POST", f"{PROJECT}/pipeline", "create"),
        ("POST", f"{PROJECT}/trigger/pipeline", "trigger"),
        ("GET", f"{PROJECT}/pipelines", "listed"),
        ("GET", rf"{PROJECT}/pipelines/(\d+)", "pipeline"),
        ("GET", rf"{PROJECT}/pipelines/(\d+)/variables", "variables"),
        ("GET", rf"{PROJECT}/pipelines/(\d+)/jobs", "jobs"),
        ("GET", rf"{PROJECT}/jobs/(\d+)/trace", "trace"),
    )

    def __init__(self) -> None:
        self.pipelines: list[dict[str, Any]] = []
        self.scopes = ["api"]
        self.level = 30
        self.is_protected = False
        super().__init__()

    def knows(self, heard: Heard) -> bool:
        return heard.headers.get("private-token") == TOKEN

    def token(self, heard: Heard) -> Answer:
        return said({"id": 1, "active": True, "scopes": self.scopes})

    def project(self, heard: Heard) -> Answer:
        access = {"project_access": {"access_level": self.level}, "group_access": None}
        return said({"id": 5, "permissions": access})

    def branch(self, heard: Heard) -> Answer:
        return said({"name": "main", "protected": self.is_protected, "can_push": not self.is_protected})

    def create(self, heard: Heard) -> Answer:
        asked = json.loads(heard.body)
        return self._created(asked["ref"], asked["variables"], "api")

    def trigger(self, heard: Heard) -> Answer:
        asked = json.loads(heard.body)
        if asked["token"] != TRIGGER:
            return said({"message": "404 Not Found"}, 404)
        variables = [{"key": key, "value": value} for key, value in asked["variables"].items()]
        return self._created(asked["ref"], variables, "trigger")

    def _created(self, ref: str, variables: list[dict[str, str]], source: str) -> Answer:
        number = 40 + len(self.pipelines)
        made = {"id": number, "ref": ref, "status": "created", "source": source}
        made |= {"web_url": f"https://gitlab.test/acme/app/-/pipelines/{number}"}
        self.pipelines.append(made | {"variables": variables})
        return said(made, 201)

    def listed(self, heard: Heard) -> Answer:
        return said([{"id": row["id"], "web_url": row["web_url"]} for row in self.pipelines[::-1]])

    def _one(self, number: str) -> dict[str, Any]:
        return next(row for row in self.pipelines if row["id"] == int(number))

    def pipeline(self, heard: Heard, number: str) -> Answer:
        return said(self._one(number))

    def variables(self, heard: Heard, number: str) -> Answer:
        return said(self._one(number)["variables"])

    def jobs(self, heard: Heard, number: str) -> Answer:
        return said([{"id": 77, "stage": "deploy", "name": "roll-back", "status": self._one(number)["status"]}])

    def trace(self, heard: Heard, number: str) -> Answer:
        return Answer(200, {"Content-Type": "text/plain"}, f"cannot pull with {TOKEN}\n".encode())

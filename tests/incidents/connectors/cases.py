"""The CI systems side by side: a stub, a configuration that works with it, and how a run there comes to its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from incidents.connectors import registry
from incidents.connectors.base import Job, Limits, Outcome
from tests.incidents.connectors.given import a_job, always, here
from tests.incidents.connectors.stubs.argocd import OLD, ArgoCD
from tests.incidents.connectors.stubs.awx import AWX
from tests.incidents.connectors.stubs.base import TOKEN, Stub
from tests.incidents.connectors.stubs.github import GitHub
from tests.incidents.connectors.stubs.gitlab import GitLab
from tests.incidents.connectors.stubs.jenkins import Jenkins
from tests.incidents.connectors.stubs.rundeck import Rundeck

VALUES = {"attempt": "{attempt}", "revision": "{target}"}


def _end_github(stub: Any, *, well: bool) -> None:
    stub.runs[-1] |= {"status": "completed", "conclusion": "success" if well else "timed_out"}


def _end_gitlab(stub: Any, *, well: bool) -> None:
    stub.pipelines[-1]["status"] = "success" if well else "failed"


def _end_argocd(stub: Any, *, well: bool) -> None:
    stub.finish("Succeeded" if well else "Failed")
    stub.health = "Healthy"


def _end_jenkins(stub: Any, *, well: bool) -> None:
    if not stub.builds:
        stub.begin()
    stub.builds[-1] |= {"building": False, "result": "SUCCESS" if well else "UNSTABLE"}


def _end_awx(stub: Any, *, well: bool) -> None:
    stub.jobs[-1]["status"] = "successful" if well else "error"


def _end_rundeck(stub: Any, *, well: bool) -> None:
    stub.executions[-1]["status"] = "succeeded" if well else "timedout"


@dataclass(frozen=True)
class Case:
    kind: str
    stub: type[Stub]
    config: dict[str, Any]
    end: Callable[..., None]
    started: Callable[[Any], int]
    secret: str = TOKEN

    @property
    def connector(self) -> Any:
        return registry[self.kind]

    def job(self, stub: Stub, **changes: Any) -> Job:
        config = {"url": stub.url} | self.config | changes.pop("config", {})
        return a_job(**({"config": config, "secret": self.secret, "target": OLD[:7]} | changes))

    def limits(self, stub: Stub, **changes: Any) -> Limits:
        return here(stub.url, **changes)

    def run(self, stub: Stub, job: Job | None = None, **changes: Any) -> Outcome:
        return self.connector.run(job or self.job(stub), self.limits(stub, **changes), always)

    def poll(self, stub: Stub, remote: Any, job: Job | None = None, **changes: Any) -> Outcome:
        return self.connector.poll(job or self.job(stub), self.limits(stub, **changes), remote)

    def self_test(self, stub: Stub, secret: str | None = None, **config: Any) -> dict[str, bool | None]:
        found = self.connector.self_test(
            {"url": stub.url} | self.config | config, self.limits(stub), secret or self.secret
        )
        return {finding.sentence: finding.is_good for finding in found}


GITHUB = Case(
    "github",
    GitHub,
    {"repository": "acme/app", "workflow": "rollback.yml", "ref": "main", "values": VALUES},
    _end_github,
    lambda stub: len(stub.runs),
)
GITLAB = Case(
    "gitlab",
    GitLab,
    {"project": "acme/app", "ref": "main", "values": VALUES},
    _end_gitlab,
    lambda stub: len(stub.pipelines),
)
ARGOCD = Case("argocd", ArgoCD, {"application": "shop"}, _end_argocd, lambda stub: len(stub.asked))
JENKINS = Case(
    "jenkins",
    Jenkins,
    {"job": "ops/roll back", "values": VALUES},
    _end_jenkins,
    lambda stub: len(stub.items),
    f"robot:{TOKEN}",
)
AWX_ = Case("awx", AWX, {"template": 12, "values": VALUES}, _end_awx, lambda stub: len(stub.jobs))
RUNDECK = Case("rundeck", Rundeck, {"job": "9a1c-44", "values": VALUES}, _end_rundeck, lambda s: len(s.executions))
ALL = (GITHUB, GITLAB, ARGOCD, JENKINS, AWX_, RUNDECK)

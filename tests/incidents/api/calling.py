"""People who call the API with tokens of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from django.test import Client

from incidents.models import Incident
from incidents.terms import Role
from portal.accounts.models import ApiToken
from tests.factories import Crew, make_crew

ALL_SCOPES = ("check", "suggest", "read", "act")


@dataclass
class Caller:
    """A person's token, and the API below /api/v1 asked with it."""

    secret: str
    client: Client

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(self._url(path), query, headers=self.headers)

    def post(self, path: str, body: Any = None, *, raw: bytes | None = None, media: str = "application/json") -> Any:
        content = raw if raw is not None else b"" if body is None else orjson.dumps(body)
        return self.client.post(self._url(path), content, content_type=media, headers=self.headers)

    def upload(self, path: str, file: Any, **fields: Any) -> Any:
        return self.client.post(self._url(path), {"file": file, **fields}, headers=self.headers)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.secret}"}

    def _url(self, path: str) -> str:
        return f"/api/v1/{path}"


@pytest.fixture
def calling() -> Callable[..., Caller]:
    """The API in the name of a person: `calling(user, scopes=["read"], product=product)`."""

    def call(user: Any, *, scopes: tuple[str, ...] = ALL_SCOPES, **fields: Any) -> Caller:
        _, secret = ApiToken.issue(user, name="test", scopes=list(scopes), **fields)
        return Caller(secret, Client())

    return call


@pytest.fixture(scope="session", autouse=True)
def static_folder() -> None:
    """WhiteNoise warns of a missing folder, and a warning fails a test."""
    from django.conf import settings

    settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)


@pytest.fixture
def crew(db: None) -> Crew:
    return make_crew()


@pytest.fixture
def by_role(crew: Crew, calling: Callable[..., Caller]) -> Callable[[Role | str], Caller]:
    """The API in the name of whoever holds a role, one token each."""
    callers: dict[str, Caller] = {}

    def call(role: Role | str) -> Caller:
        if role not in callers:
            callers[role] = calling(crew[Role(role)])
        return callers[role]

    return call


@pytest.fixture
def act(by_role: Callable[..., Any]) -> Callable[..., Any]:
    """Do an act in a role and get its JSON: `act(incident, "api_lead", "target/choose", {…}, 201)`."""

    def do(incident: Incident, role: str, path: str, body: Any = None, status: int = 200) -> Any:
        answer = by_role(role).post(f"incidents/{incident.reference}/{path}", body)
        assert answer.status_code == status, answer.content
        return answer.json()

    return do


@pytest.fixture
def state(by_role: Callable[..., Any]) -> Callable[..., Any]:
    def read(incident: Incident) -> Any:
        return by_role("commander").get(f"incidents/{incident.reference}").json()

    return read


def confirm(act: Callable[..., Any], incident: Incident, proposal: dict[str, Any], role: str = "api_lead") -> Any:
    return act(incident, role, f"proposals/{proposal['id']}/confirm")

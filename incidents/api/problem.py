"""Errors as problem documents (RFC 9457): one shape for every answer that is not the wished one."""

from __future__ import annotations

import uuid
from http import HTTPStatus
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from pydantic import BaseModel, Field

MEDIA_TYPE = "application/problem+json"


class FieldError(BaseModel):
    """One field of the request, and what is wrong with it."""

    field: str
    message: str


class Problem(BaseModel):
    """Why a request did not do what was asked."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldError] | None = Field(None, description="Which fields are wrong, and why.")
    blockers: list[str] | None = Field(None, description="What stands against the act, a sentence each.")
    reference: str | None = Field(None, description="The incident that already holds the freeze.")
    request_id: str


def problem(
    request: HttpRequest,
    status: int,
    detail: str,
    *,
    kind: str = "",
    headers: dict[str, str] | None = None,
    **more: Any,
) -> HttpResponse:
    """The answer.

    Args:
        kind: what a program tells problems of one status apart by; the status' phrase where none is given.
        more: `errors`, `blockers`, `reference`.
    """
    phrase = HTTPStatus(status).phrase
    body = {
        "type": f"urn:lastgood:{kind or phrase.lower().replace(' ', '-')}",
        "title": phrase,
        "status": status,
        "detail": detail,
        **more,
        "request_id": request_id(request),
    }
    response = HttpResponse(orjson.dumps(body), status=status, content_type=MEDIA_TYPE, headers=headers)
    if status == HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = 'Bearer realm="lastgood"'
    return response


def request_id(request: HttpRequest) -> str:
    return getattr(request, "request_id", "") or uuid.uuid4().hex

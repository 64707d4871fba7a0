"""What django-ninja does not write into the OpenAPI document by itself: how every operation may say no."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from incidents.api.problem import MEDIA_TYPE, Problem

_READING = (401, 403, 404, 409, 422, 503)
_ACTING = (400, 401, 403, 404, 409, 413, 415, 422, 503)


def described(schema: Any) -> Any:
    """The document with problem documents as answers of every operation."""
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schema["components"]["schemas"] |= {**problem.pop("$defs", {}), "Problem": problem}
    for path in schema["paths"].values():
        for method, operation in path.items():
            _describe(operation, _READING if method == "get" else _ACTING)
    return schema


def _describe(operation: dict[str, Any], statuses: tuple[int, ...]) -> None:
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for status in statuses:
        operation["responses"].setdefault(status, {"description": HTTPStatus(status).phrase, "content": content})

"""The API as a page for people, drawn from its OpenAPI document: every operation, what it takes and how it answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal.api import api

_BODIES = {"application/json": "JSON", "multipart/form-data": "form with a file"}
# Said once, above all operations.
COMMON = (400, 401, 403, 404, 409, 413, 415, 422, 503)


@dataclass(frozen=True)
class Field:
    """One thing that an operation takes: of its address, its query or its body."""

    name: str
    place: str
    kind: str
    is_needed: bool
    meaning: str


@dataclass(frozen=True)
class Operation:
    """One method of one address."""

    anchor: str
    method: str
    path: str
    summary: str
    meaning: str
    takes: list[Field]
    body: str
    answers: list[tuple[int, str]]


@require_safe
def reference(request: HttpRequest) -> HttpResponse:
    """Show every operation, group by group."""
    context = {"api": api, "groups": _groups(), "problems": [(code, HTTPStatus(code).phrase) for code in COMMON]}
    return render(request, "api/reference.html", context)


@cache
def _groups() -> dict[str, list[Operation]]:
    """Operations by their tag, in the order of the document."""
    document = api.get_openapi_schema()
    found: dict[str, list[Operation]] = {}
    for path, methods in document["paths"].items():
        for method, said in methods.items():
            operation = _operation(method.upper(), path, said, document["components"]["schemas"])
            found.setdefault(said["tags"][0], []).append(operation)
    return found


def _operation(method: str, path: str, said: dict[str, Any], schemas: dict[str, Any]) -> Operation:
    content: dict[str, Any] = said.get("requestBody", {}).get("content", {})
    media = next(iter(content), "")
    takes = [_parameter(found, schemas) for found in said.get("parameters", ())]
    return Operation(
        anchor=said["operationId"].replace("_", "-"),
        method=method,
        path=path,
        summary=said["summary"],
        meaning=said.get("description", ""),
        takes=[*takes, *_properties(content[media]["schema"] if media else {}, schemas)],
        body=_BODIES.get(media, media),
        answers=[
            (int(code), answer["description"]) for code, answer in said["responses"].items() if int(code) not in COMMON
        ],
    )


def _parameter(found: dict[str, Any], schemas: dict[str, Any]) -> Field:
    meaning = found.get("description") or found["schema"].get("description", "")
    kind = _kind(found["schema"], schemas)
    return Field(found["name"], {"path": "address"}.get(found["in"], found["in"]), kind, found["required"], meaning)


def _properties(schema: dict[str, Any], schemas: dict[str, Any]) -> Iterator[Field]:
    schema = _resolved(schema, schemas)
    for name, found in schema.get("properties", {}).items():
        is_needed = name in schema.get("required", ())
        yield Field(name, "body", _kind(found, schemas), is_needed, found.get("description", ""))


def _kind(schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    """What a value is, in words: `text, at most 200 characters`, `one of merge, claim`."""
    schema = _resolved(schema, schemas)
    if choices := schema.get("enum"):
        return f"one of {', '.join(str(choice) or 'nothing' for choice in choices)}"
    if either := schema.get("anyOf"):
        return " or ".join(dict.fromkeys(_kind(one, schemas) for one in either))
    if schema.get("type") == "array":
        return f"list: {_kind(schema.get('items', {}), schemas)}"
    return _plain(schema)


def _plain(schema: dict[str, Any]) -> str:
    formats = {"date-time": "time", "uuid": "UUID", "binary": "file", "email": "e-mail address", "date": "date"}
    kinds = {"string": "text", "integer": "number", "boolean": "true or false", "null": "null", "object": "object"}
    kind = formats.get(schema.get("format", ""), kinds.get(schema.get("type", ""), "anything"))
    return f"{kind}, at most {schema['maxLength']:,} characters" if "maxLength" in schema else kind


def _resolved(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    if parts := schema.get("allOf"):
        schema = parts[0]
    name = schema.get("$ref", "").rpartition("/")[2]
    return _resolved(schemas[name], schemas) if name else schema

"""What the API takes in: JSON read strictly, unknown fields refused, texts bounded as their columns are."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Annotated, Any

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db.models import Model
from django.http import HttpRequest
from ninja.parser import Parser
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt

DEEPEST = 20
_is_address = URLValidator(schemes=["http", "https"])


class BadBody(Exception):
    """The body cannot be read at all; `status` and the sentence say why."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class StrictParser(Parser):
    """Reads bodies for django-ninja."""

    def parse_body(self, request: HttpRequest) -> Any:
        charset = (request.content_params or {}).get("charset", "utf-8").lower()
        if request.content_type != "application/json" or charset not in ("utf-8", "utf8"):
            raise BadBody(415, "Send the body as application/json in UTF-8.")
        return parse(request.body)


def bound_body(request: HttpRequest, longest: int) -> None:
    """Refuse a body of more bytes, where possible before it is read.

    Raises:
        BadBody: it is too large.
    """
    declared = request.META.get("CONTENT_LENGTH") or "0"
    size = int(declared[:20]) if declared.isascii() and declared.isdecimal() else len(request.body)
    if size > longest:
        raise BadBody(413, f"A message may hold at most {longest // 1024} kB.")


def parse(raw: bytes) -> Any:
    """Read JSON as RFC 8259 means it.

    Raises:
        BadBody: not UTF-8, not JSON, a key given twice, NaN or Infinity, or nested more than twenty deep.
    """
    try:
        value = json.loads(raw.decode(), object_pairs_hook=_unique, parse_constant=_refuse)
    except UnicodeDecodeError as error:
        raise BadBody(400, "The body is not valid UTF-8.") from error
    except RecursionError as error:
        raise BadBody(400, f"The body nests more than {DEEPEST} deep.") from error
    except ValueError as error:
        raise BadBody(400, f"The body is not valid JSON: {str(error)[:200]}.") from error
    _check_depth(value)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadBody(400, "The body gives the same key twice.")
    return found


def _refuse(name: str) -> Any:
    raise BadBody(400, f"{name} is not JSON.")


def _check_depth(value: Any) -> None:
    level, depth = [value], 0
    while level := [inner for outer in level for inner in _inside(outer)]:
        depth += 1
        if depth > DEEPEST:
            raise BadBody(400, f"The body nests more than {DEEPEST} deep.")


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


# Types of fields -----------------------------------------------------------------------------------------------------


def _storable(text: str) -> str:
    if "\x00" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise ValueError("Text may hold no NUL and no lone surrogate.")
    return text


def _moment(value: Any) -> datetime:
    if not isinstance(value, str) or len(value) < len("2026-11-24T14:30Z"):
        raise ValueError("Write a time as 2026-11-24T14:30:00Z, with its offset.")
    found = datetime.fromisoformat(value)
    if found.tzinfo is None:
        raise ValueError("Write a time as 2026-11-24T14:30:00Z, with its offset.")
    try:
        return found.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("This time is out of range.") from error


def _day(value: Any) -> date:
    if not isinstance(value, str) or len(value) != len("2026-11-24"):
        raise ValueError("Write a day as 2026-11-24.")
    return date.fromisoformat(value)


def link_of(value: str) -> str:
    if value:
        try:
            _is_address(value)
        except ValidationError as error:
            raise ValueError("Give a whole http or https address.") from error
    return value


Text = Annotated[str, AfterValidator(_storable)]
Link = Annotated[Text, AfterValidator(link_of)]
Moment = Annotated[datetime, BeforeValidator(_moment, json_schema_input_type=datetime)]
Day = Annotated[date, BeforeValidator(_day, json_schema_input_type=date)]
Flag = StrictBool
Whole = StrictInt


def length(model: type[Model], field: str) -> int:
    """How many characters the column holds."""
    found = model._meta.get_field(field).max_length  # type: ignore[union-attr]
    assert found  # noqa: S101 - every text column that the API fills is bounded
    return int(found)


class Given(BaseModel):
    """What a caller sends. Unknown fields are refused, outer blanks do not count."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class Nothing(Given):
    """An act that needs no more than its address."""


class Why(Given):
    """An act that needs a reason."""

    reason: Text = Field(min_length=1, max_length=500)

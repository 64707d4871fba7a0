"""Input that is not what was asked for: a clear problem document, nothing half-done, never a 500."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incidents.api.strict import BadBody, parse
from incidents.models import Incident
from incidents.terms import Phase
from tests.factories import Crew, make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.thorough]


def good(crew: Crew) -> dict[str, Any]:
    return {"product": crew.product.slug, "trigger": "regression", "summary": "Lag", "scope_level": "L1"}


BODIES: list[tuple[bytes, int, str]] = [
    (b"", 422, "body"),
    (b"null", 422, "body"),
    (b"[]", 422, "body"),
    (b"5", 422, "body"),
    (b'"text"', 422, "body"),
    (b"{}", 422, "body.product"),
    (b"{", 400, "not valid JSON"),
    (b'{"product": NaN}', 400, "NaN is not JSON"),
    (b'{"product": Infinity}', 400, "Infinity is not JSON"),
    (b'{"product": -Infinity}', 400, "-Infinity is not JSON"),
    (b'{"product": "a", "product": "b"}', 400, "same key twice"),
    (b'{"a": {"b": 1, "b": 2}}', 400, "same key twice"),
    (b'{"product": "\xff"}', 400, "not valid UTF-8"),
    (b"\xef\xbb\xbf{}", 400, "not valid JSON"),
    (b'{"a":' * 21 + b"1" + b"}" * 21, 400, "more than 20 deep"),
    (b"[" * 100_000 + b"]" * 100_000, 400, "more than 20 deep"),
    (b'{"a": ' + b"9" * 5000 + b"}", 400, "not valid JSON"),
    (b'{"product": 1e999}', 422, "body.product"),
    (b"{'product': 'a'}", 400, "not valid JSON"),
    (b'{"product": "a",}', 400, "not valid JSON"),
]


@pytest.mark.parametrize(("raw", "status", "says"), BODIES, ids=[str(n) for n in range(len(BODIES))])
def test_a_body_that_cannot_be_read_says_why(
    crew: Crew, by_role: Callable[..., Any], raw: bytes, status: int, says: str
) -> None:
    answer = by_role("commander").post("incidents", raw=raw)

    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
    assert says in answer.json()["detail"]
    assert answer.json()["request_id"] == answer["X-Request-ID"]
    assert not Incident.objects.exists()


@pytest.mark.parametrize(
    "media",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "application/problem+json",
        "",
        "nonsense",
    ],
)
def test_another_content_type_is_415(crew: Crew, by_role: Callable[..., Any], media: str) -> None:
    answer = by_role("commander").post("incidents", raw=orjson.dumps(good(crew)), media=media)

    assert (answer.status_code, Incident.objects.count()) == (415, 0)


def test_a_charset_of_utf_8_is_fine(crew: Crew, by_role: Callable[..., Any]) -> None:
    answer = by_role("commander").post("incidents", good(crew), media="application/json; charset=UTF-8")

    assert answer.status_code == 201


def test_a_body_of_more_than_2_5_mb_is_413(crew: Crew, by_role: Callable[..., Any]) -> None:
    answer = by_role("commander").post("incidents", good(crew) | {"summary": "x" * 2_700_000})

    assert (answer.status_code, answer.json()["detail"]) == (413, "A body may hold at most 2.5 MB.")


def test_a_body_of_ten_megabytes_is_413_for_strangers_too(crew: Crew, by_role: Callable[..., Any]) -> None:
    caller = by_role("commander")
    declared = {"CONTENT_LENGTH": str(10 * 1024**3)}

    answer = caller.client.post("/api/v1/incidents", b"{}", content_type="application/json", **declared)

    assert answer.status_code == 413


WRONG: list[tuple[str, Any]] = [
    ("summary", 5),
    ("summary", None),
    ("summary", ["a"]),
    ("summary", {"a": 1}),
    ("summary", True),
    ("summary", ""),
    ("summary", " \t\n"),
    ("summary", "x" * 501),
    ("summary", "a\x00b"),
    ("trigger", "x" * 41),
    ("product", "x" * 61),
    ("scope_level", "l1"),
    ("scope_level", 1),
    ("scope_level", None),
    ("drill", "true"),
    ("drill", 1),
    ("drill", None),
    ("commander", 5),
    ("commander", "x" * 255),
    ("declared_by", 1),
    ("phase", "closed"),
    ("id", 7),
    ("__class__", "x"),
]


@pytest.mark.parametrize(("field", "value"), WRONG)
def test_a_wrong_field_is_named_and_nothing_is_declared(
    crew: Crew, by_role: Callable[..., Any], field: str, value: Any
) -> None:
    answer = by_role("commander").post("incidents", good(crew) | {field: value})

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [f"body.{field}"]
    assert not Incident.objects.exists()


@pytest.mark.parametrize("raw", [b'"\\ud800"', b'"\\udfff\\ud800"', b'"a\\u0000b"'])
def test_lone_surrogates_and_nul_are_refused_in_values_and_keys(
    crew: Crew, by_role: Callable[..., Any], raw: bytes
) -> None:
    as_value = orjson.dumps(good(crew)).replace(b'"Lag"', raw)
    as_key = orjson.dumps(good(crew))[:-1] + b"," + raw + b":1}"

    for body in (as_value, as_key):
        answer = by_role("commander").post("incidents", raw=body)
        assert answer.status_code == 422
        assert len(answer.json()["errors"]) == 1


def test_text_of_every_script_is_kept_as_it_is(crew: Crew, by_role: Callable[..., Any]) -> None:
    summary = "Überlauf 流量 🔥 \u202eright‑to‑left <b>bold</b> '; DROP TABLE"

    answer = by_role("commander").post("incidents", good(crew) | {"summary": summary})

    assert (answer.status_code, answer.json()["summary"]) == (201, summary)


def test_an_act_without_fields_takes_an_empty_body_and_no_other(crew: Crew, by_role: Callable[..., Any]) -> None:
    incident = make_incident(crew, accepted=False)
    lead, path = by_role("api_lead"), f"incidents/{incident.reference}/roles/api_lead/accept"

    assert lead.post(path, {"role": "commander"}).status_code == 422
    assert lead.post(path, raw=b"x=1", media="application/x-www-form-urlencoded").status_code == 415
    assert lead.post(path, {}).status_code == 200


def test_a_step_that_is_refused_leaves_nothing_behind(crew: Crew, by_role: Callable[..., Any]) -> None:
    incident = make_incident(crew, at=Phase.VERIFYING)
    before = incident.chain.entries.count()

    answer = by_role("commander").post(f"incidents/{incident.reference}/unfreeze/lift", {"stage": "merges"})

    assert answer.status_code == 409
    assert incident.chain.entries.count() == before


UPLOADS = {
    "no file": (
        b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\nhi\r\n--x--\r\n',
        "multipart/form-data; boundary=x",
        422,
    ),
    "broken": (b"--x\r\nContent-Disp", "multipart/form-data; boundary=x", 422),
    "no boundary": (b"abc", "multipart/form-data", 400),
    "json": (b"{}", "application/json", 415),
    "empty boundary": (b"abc", "multipart/form-data; boundary=", 400),
    "no body": (b"", "multipart/form-data; boundary=x", 415),
    "a form of another charset": (b"a=b", "application/x-www-form-urlencoded; charset=utf-16", 400),
}


@pytest.mark.parametrize("name", UPLOADS)
def test_an_upload_that_is_none_is_refused(crew: Crew, by_role: Callable[..., Any], name: str) -> None:
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    raw, media, status = UPLOADS[name]

    answer = by_role("data_evidence_lead").post(
        f"incidents/{incident.reference}/cleanup/evidence/repair-notes/file", raw=raw, media=media
    )

    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")


def test_an_upload_takes_only_its_own_fields(crew: Crew, by_role: Callable[..., Any]) -> None:
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    path = f"incidents/{incident.reference}/cleanup/evidence/repair-notes/file"

    def upload(**fields: str) -> int:
        file = SimpleUploadedFile("a.txt", b"a")
        return by_role("data_evidence_lead").upload(path, file, **fields).status_code

    assert [upload(owner="me"), upload(text="a\x00b"), upload(text="x" * 20_001), upload(text="fine")] == [
        422,
        422,
        422,
        201,
    ]


def test_too_many_form_fields_are_400(crew: Crew, by_role: Callable[..., Any]) -> None:
    incident = make_incident(crew, at=Phase.ROLLING_BACK)
    path = f"incidents/{incident.reference}/cleanup/evidence/repair-notes/file"

    answer = by_role("data_evidence_lead").upload(
        path, SimpleUploadedFile("a.txt", b"a"), **{f"f{n}": "1" for n in range(1001)}
    )

    assert answer.status_code == 400


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
def test_no_body_whatever_is_an_error_of_ours(crew: Crew, by_role: Callable[..., Any], body: bytes) -> None:
    answer = by_role("commander").post("incidents", raw=body)

    assert answer.status_code in (400, 422)


@settings(max_examples=200, deadline=None)
@given(json_values)
def test_what_json_writes_without_nan_is_read_back(value: Any) -> None:
    try:
        written = json.dumps(value, allow_nan=False)
    except ValueError:
        with pytest.raises(BadBody):
            parse(json.dumps(value).encode())
        return
    assert parse(written.encode()) == value

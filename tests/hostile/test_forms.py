"""Every form of the portal takes anything: it says what is wrong in sentences, and holds what was typed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from allauth.core import context
from django import forms
from django.forms import BaseForm
from django.http import QueryDict
from django.test import RequestFactory
from django.utils.datastructures import MultiValueDict
from hypothesis import HealthCheck, given, settings
from hypothesis import Phase as HypothesisPhase
from hypothesis import strategies as st

from tests.hostile import routes, words
from tests.hostile.sending import Sender, judge
from tests.incidents.api.calling import static_folder

__all__ = ["static_folder"]

pytestmark = [pytest.mark.django_db, pytest.mark.thorough, pytest.mark.timeout(300)]

OURS = ("incidents", "comms", "portal")
# What other tests put bad input into: filters of addresses, proofs of a person, what needs a secret of this moment.
ELSEWHERE = {
    *("EvidenceFilter", "ListFilter"),  # tests/incidents/views/test_evidence.py, test_list.py
    *("ActivateAppForm", "CodeForm", "CodeProof", "PasswordProof", "ProofForm", "RenameForm"),
    "SampleForm",  # of a test
}
# Sign-in says nothing back of a password or a code, nor does a browser keep a file.
NEVER_GIVEN_BACK = (forms.PasswordInput, forms.FileInput)

texts = st.one_of(
    # What Django has read of a body holds no lone surrogate.
    st.sampled_from([text.encode("utf-8", "replace").decode() for text in words.TEXTS]),
    st.text(max_size=200),
    st.integers().map(str),
    st.floats().map(str),
    st.datetimes().map(lambda moment: moment.isoformat()),
    st.dates().map(str),
    st.uuids().map(str),
)


@pytest.fixture
def found(settings: Any, tmp_path: Any) -> Iterator[dict[str, BaseForm]]:
    """One form of each class that a page of ours judges."""
    settings.MEDIA_ROOT = tmp_path
    sender = Sender()
    yield {type(form).__name__: form for route in routes.every(sender) for form in route.forms}
    sender.close()


def test_every_form_takes_anything_and_answers_in_sentences(found: dict[str, BaseForm]) -> None:
    assert sorted(our_forms() - found.keys() - ELSEWHERE) == []

    for form in found.values():
        try_out(form)


def our_forms() -> set[str]:
    """The names of the form classes of this project that are asked somewhere, those of the admin's own making aside."""
    every, left = set(), [BaseForm]
    while left:
        kind = left.pop()
        left += kind.__subclasses__()
        if kind.__module__.startswith(OURS) and not kind.__subclasses__():
            every.add(kind.__name__)
    return every


def try_out(form: BaseForm) -> None:
    names = [form.add_prefix(name) for name in form.fields]

    @settings(
        max_examples=25,
        deadline=None,
        database=None,
        phases=[HypothesisPhase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.dictionaries(st.sampled_from(names or ["none"]), st.lists(texts, min_size=1, max_size=2)))
    def anything(typed: dict[str, list[str]]) -> None:
        data = QueryDict(mutable=True)
        for name, values in typed.items():
            data.setlist(name, values)
        with context.request_context(RequestFactory().get("/")):  # forms of sign-in ask where a try comes from
            is_valid = judge(form, data, MultiValueDict())
        str(form)
        if not is_valid:
            for name, errors in form.errors.items():
                for sentence in errors:
                    assert is_sentence(sentence), (type(form).__name__, name, sentence)
        for name in form.fields:
            kept(form, name, typed)

    anything()


def is_sentence(text: str) -> bool:
    return text[:1].isupper() or text[:1] in "“'\"0123456789" if text.endswith((".", "?", "”", "!")) else False


def kept(form: BaseForm, name: str, typed: dict[str, list[str]]) -> None:
    field = form.fields[name]
    if (
        isinstance(field.widget, NEVER_GIVEN_BACK)
        or isinstance(field, forms.MultiValueField | forms.JSONField)
        or field.disabled
    ):
        return
    sent = typed.get(form.add_prefix(name))
    shown = form[name].value()
    if sent and isinstance(shown, str):
        assert shown == sent[-1], (type(form).__name__, name)

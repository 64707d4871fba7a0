"""Every route that is written to: pages, operations, the back office, sign-in and account. None is listed by hand.

The resolver and the OpenAPI paths say which there are, `tests/matrix` says who may write and what is taken, and the
forms themselves say which fields they have.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.contrib import admin
from django.forms import BaseForm
from django.test import Client
from django.urls import NoReverseMatch, URLResolver, reverse

from incidents.models import Incident
from incidents.terms import GateOutcome, Phase, Role
from portal.accounts.models import ApiToken
from portal.accounts.urls import urlpatterns as account_patterns
from portal.api import api
from tests.comms.world import told_crew
from tests.factories import UserFactory, make_incident, pass_gate
from tests.hostile.bodies import FORM, JSON, Asked, Body, File, multipart, urlencoded
from tests.hostile.sending import Sender, bound_forms
from tests.matrix.operations import FILE, OPERATIONS
from tests.matrix.table import PAGES
from tests.matrix.test_pages import ROUTES
from tests.matrix.world import Place, World, build

WRITING = ("POST", "PUT", "PATCH", "DELETE")
PARTS = ("pages", "operations", "back office", "account")
SCOPES = ["check", "read", "act", "suggest"]

# Where another phase than the rollback takes the form.
PHASES: dict[Phase, tuple[str, ...]] = {
    Phase.TARGETED: ("make_plan", "rollback/plan"),
    Phase.VERIFYING: ("reopen", "gate", "accept_baseline", "accept_risk", "verify/"),
    Phase.UNFREEZING: ("lift", "refreeze", "name_owner", "ownership", "unfreeze/"),
    Phase.REVIEW: ("write_summary", "follow_up", "safeguard", "incidents:close", "deliver/"),
}
AT_ROLLBACK = ("cleanup", "evidence", "foreign", "begin")
# What chooses the form of a page that has several, and stands in none of them.
CHOSEN: dict[str, list[dict[str, str]]] = {
    "incidents:roles": [
        {"act": act, "role": "api_lead"} for act in ("accept", "assign", "hand_over", "take_over", "none")
    ],
    "comms:write": [{"do": word} for word in ("send", "save", "preview", "anew")],
    "incidents:foreign": [{"do": "keep"}, {"do": "check"}],
}


@dataclass
class Route:
    """One route that is written to, by somebody who may."""

    name: str
    method: str
    address: str
    asked: Asked
    cookies: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    forms: list[BaseForm] = field(default_factory=list)
    operation: Any = None
    parts: dict[str, Any] = field(default_factory=dict)
    incident: Incident | None = None


@dataclass
class Places:
    """One incident for each phase that some form is for, and a product that has none."""

    world: World
    made: dict[Phase | str, tuple[Place, Callable[[str], Any]]] = field(default_factory=dict)

    def of(self, name: str) -> tuple[Place, Callable[[str], Any]]:
        """Where a route is taken, and who holds a role there."""
        if name in ("incidents:declare", "post /incidents"):
            return self._at("")
        if not any(word in name for word in AT_ROLLBACK) or "gates" in name:
            for phase, words in PHASES.items():
                if any(word in name for word in words):
                    return self._at(phase)
        return self.world.here, self.world.people.__getitem__

    def _at(self, phase: Phase | str) -> tuple[Place, Callable[[str], Any]]:
        if phase not in self.made:
            crew = told_crew()
            incident = make_incident(crew, at=Phase(phase)) if phase else self.world.here.incident
            if phase == Phase.VERIFYING:
                pass_gate(incident.gates.get(key="ci"), crew, GateOutcome.FAIL)
            parts = self.world.here.parts | {
                "reference": incident.reference,
                "ref": incident.reference,
                "gate": "ci",
                "slug": crew.product.slug,
                "product": crew.product.slug,
                "person": crew.deputy.pk,
                "person_mail": crew.deputy.email,
                "key": "ci",
            }
            self.made[phase] = Place(incident, parts), lambda role: crew[Role(role)]
        return self.made[phase]


def every(sender: Sender, parts: tuple[str, ...] = ()) -> list[Route]:
    """Every route that is written to, or those of some parts."""
    places = Places(build())
    made = {"pages": pages, "operations": operations, "back office": back_office, "account": account}
    return [route for part in parts or PARTS for route in made[part](places, sender)]


# Pages ---------------------------------------------------------------------------------------------------------------


def pages(places: Places, sender: Sender) -> Iterator[Route]:
    for name, pattern in ROUTES.items():
        row = PAGES[name]
        if row.send is None:
            continue
        place, holder = places.of(name)
        person = holder(_role_of(row.send))
        told = {key: str(value).format(**place.parts) for key, value in (row.body or {}).items()}
        for chosen in CHOSEN.get(name, [{}]):
            route = Route(name, "POST", place.address(name, pattern), Asked(FORM), incident=place.incident)
            route.cookies = signed_in(person)
            route.parts = {word: place._part(word, name) for word in re.findall(r"<(?:\w+:)?(\w+)>", pattern)}
            yield discovered(sender, route, told | chosen)


def _role_of(may: frozenset[str]) -> str:
    return next((role.value for role in Role if role.value in may), Role.COMMANDER.value)


def signed_in(person: Any) -> dict[str, str]:
    client = Client()
    client.force_login(person)
    return {name: morsel.value for name, morsel in client.cookies.items()}


def discovered(sender: Sender, route: Route, told: dict[str, Any]) -> Route:
    """The route with the forms that judged what was sent, and a good value for each of their fields."""
    for _ in range(2):
        good = {**_good_of(route.forms), **told}
        files = tuple(name for name, value in good.items() if isinstance(value, File))
        route.asked = Asked(FORM, good, files)
        encode = multipart if files else urlencoded
        with bound_forms() as found:
            sender.send(route, Body("as asked", *encode(list(good.items()) or [("unasked", "x")])))
        route.forms = [form for form in found if not isinstance(form, forms.BaseModelForm) or form.prefix is None]
    return route


def _good_of(found: list[BaseForm]) -> dict[str, Any]:
    return {
        form.add_prefix(name): _good_value(field, form.initial.get(name, field.initial))
        for form in found
        for name, field in form.fields.items()
    }


def _good_value(field: Any, initial: Any) -> Any:
    if isinstance(field, forms.FileField):
        return File("a.txt", b'{"items": []}')
    if initial not in (None, "") and not callable(initial) and not isinstance(field, forms.JSONField):
        value = field.prepare_value(initial)
        return field.widget.format_value(value) if isinstance(value, object) and hasattr(value, "year") else value
    if isinstance(field, forms.ModelChoiceField):
        row = field.queryset.first()
        return getattr(row, field.to_field_name or "pk") if row else ""
    if isinstance(field, forms.ChoiceField):
        flat = [value for value, label in field.choices if value and not isinstance(label, list | tuple)]
        return flat[0] if flat else "x"
    return next((value for kind, value in _GOOD if isinstance(field, kind)), "Words")


_GOOD: list[tuple[Any, Any]] = [
    (forms.SplitDateTimeField, "2099-01-01"),
    (forms.DateTimeField, "2099-01-01T00:00"),
    (forms.DateField, "2099-01-01"),
    (forms.BooleanField, "on"),
    (forms.IntegerField, "2"),
    (forms.EmailField, "reader@example.test"),
    (forms.URLField, "https://example.test/x"),
    (forms.JSONField, '{"url": "https://example.test/"}'),
    (forms.SlugField, "slug"),
]


# Operations ----------------------------------------------------------------------------------------------------------


def operations(places: Places, _: Sender) -> Iterator[Route]:
    for prefix, router in api._routers:
        for path, view in router.path_operations.items():
            for operation in view.operations:
                for method in set(operation.methods) & set(WRITING):
                    plain = re.sub(r"/+", "/", re.sub(r"{\w+:(\w+)}", r"{\1}", f"/{prefix}/{path}")).rstrip("/")
                    yield _operation(places, f"{method.lower()} {plain}", method, operation)


def _operation(places: Places, name: str, method: str, operation: Any) -> Route:
    place, holder = places.of(name)
    row = OPERATIONS.get(name)
    path = name.partition(" ")[2]
    words = place.parts | place.operation_parts(path) | {"attempt_id": _attempt(place)}
    body = {
        key: value.format(**words) if isinstance(value, str) else value
        for key, value in ((row.body if row else _REPORT) or {}).items()
    }
    files = ("file",) if row and FILE.items() <= (row.body or {}).items() else ()
    good = body | dict.fromkeys(files, File("run.json", b'{"items": []}'))
    route = Route(
        name, method, "/api/v1" + re.sub(r"{(\w+)}", lambda part: str(words[part[1]]), path), Asked(JSON, good, files)
    )
    route.parts = {word: words[word] for word in re.findall(r"{(\w+)}", path)}
    route.operation, route.incident = operation.clone(), place.incident
    route.operation.api = api
    if row:
        person = holder(_role_of(row.may))
        secret = ApiToken.issue(person, name="hostile", scopes=SCOPES)[1]
        route.headers = {"HTTP_AUTHORIZATION": f"Bearer {secret}"}
    return route


_REPORT = {"attempt": "{attempt_id}", "epoch": 1, "state": "running", "sentence": "x", "output": "x", "ref": "1"}


def _attempt(place: Place) -> str:
    found = place.incident.actions.filter(attempts__isnull=False).first()
    return str(found.attempts.first().pk) if found else "0"


# The back office -----------------------------------------------------------------------------------------------------

# Lists have neither acts nor fields to write, which tests/matrix and the admin's own tests hold.
READ_ONLY = ("_changelist", "_history")


def back_office(places: Places, sender: Sender) -> Iterator[Route]:
    """Every address of the admin that takes a POST from staff."""
    cookies = signed_in(places.world.people["superuser"])
    for name, address in office_addresses():
        route = Route(name, "POST", address, Asked(FORM), cookies=cookies, incident=places.world.here.incident)
        answer = sender.send(route, Body("nothing", FORM, b""))
        if answer.status not in (403, 404, 405):
            yield discovered(sender, route, {"post": "yes"} if name.endswith("_delete") else {})


def office_addresses() -> Iterator[tuple[str, str]]:
    for model in admin.site._registry:
        row = model._default_manager.first()
        words = f"admin:{model._meta.app_label}_{model._meta.model_name}_"
        for pattern in admin.site.get_model_admin(model).urls:
            name = str(pattern.name or "")
            if not name or name.endswith(READ_ONLY):
                continue
            needs_row = "object_id" in str(pattern.pattern)
            if needs_row and row is None:
                continue
            try:
                yield words + name.rpartition("_")[2], reverse(f"admin:{name}", args=[row.pk] if needs_row else [])
            except NoReverseMatch:
                continue


# Sign-in and account -------------------------------------------------------------------------------------------------


def account(_: Places, sender: Sender) -> Iterator[Route]:
    """Every address of sign-in and account, by somebody at the door, half-way in, or in."""
    from tests.portal.test_second_factor import with_app
    from tests.portal.test_sign_in import sign_in

    person = UserFactory()
    with_app(person)
    halfway, _ = sign_in(person)
    states = {
        "sign-in/second-factor/": {name: morsel.value for name, morsel in halfway.cookies.items()},
        "sign-in/": {},
    }
    inside = signed_in(person)
    for name, pattern in _flat(account_patterns):
        cookies = next((found for start, found in states.items() if pattern.startswith(start)), inside)
        address = "/" + re.sub(r"<int:pk>", "1", pattern)
        route = Route(name, "POST", address, Asked(FORM), cookies=cookies)
        answer = sender.send(route, Body("nothing", FORM, b""))
        if answer.status != 405:
            yield discovered(sender, route, {})


def _flat(patterns: Any, before: str = "") -> Iterator[tuple[str, str]]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _flat(pattern.url_patterns, before + str(pattern.pattern))
        else:
            yield str(pattern.name), before + str(pattern.pattern)

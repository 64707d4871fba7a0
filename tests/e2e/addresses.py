"""Every address of the portal that shows a page, found by asking the URL resolver: a new page cannot be forgotten."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain, product
from typing import Any

from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from comms.models import Delivery, Notice
from incidents.models import FreezeException, Incident, RunbookVersion, Suggestion
from incidents.policy import LEADS
from incidents.steps import foreign, unfreeze
from incidents.terms import Aspect, NoticeKind

# Other rooms with tests of their own: the back office, sign-in and account, what machines read, the demo's extras.
ELSEWHERE = (
    "admin/",
    "account/",
    "sign-in/",
    "sign-out/",
    "api/v1/",
    "healthz",
    "readyz",
    "metrics",
    "mailbox/",
    "look/",
)
# There only once somebody has tried the action, or once something of the log is signed.
ONLY_AFTER_A_TRY = ("/resolve/", "/checkpoint.txt")
PLACE = re.compile(r"(?P<before>[\w-]+)/<(?P<kind>\w+):(?P<name>\w+)>")
# What differs from one reading to the next, and what the same page has on every one of its acts' addresses.
PASSING = re.compile(r'<time.*?</time>|name="csrfmiddlewaretoken" value="\w+"|(action|hx-get)="[^"]*"', re.DOTALL)


def routes(patterns: Iterable[URLPattern | URLResolver] | None = None, before: str = "") -> Iterator[str]:
    """Each route as it is written: `incidents/<slug:reference>/verify/<slug:gate>/`."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        route = before + str(pattern.pattern)
        if route.startswith(ELSEWHERE):
            continue
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        else:
            yield route


def fillings(incident: Incident) -> dict[tuple[str, str], list[Any]]:
    """What may stand in a route's places, by the word before the place and the place's name."""
    one_of_a_kind = {f"{action.state} {action.connector_id}": action.key for action in incident.actions.all()}
    return {
        ("incidents", "reference"): [incident.reference],
        ("suggestions", "pk"): list(Suggestion.objects.values_list("pk", flat=True)),
        ("status", "slug"): [incident.product.slug],
        ("runbook", "number"): list(RunbookVersion.objects.values_list("number", flat=True)),
        ("proposals", "pk"): list(incident.proposals.values_list("pk", flat=True)),
        ("exceptions", "pk"): list(FreezeException.objects.filter(freeze=incident.freeze).values_list("pk", flat=True)),
        ("confirm", "aspect"): list(Aspect.values),
        ("rollback", "key"): list(one_of_a_kind.values()),
        ("cleanup", "area"): [area.key for area in incident.book.cleanup],
        ("verify", "gate"): [gate.key for gate in incident.book.gates],
        ("lift", "stage"): [stage.key for stage in unfreeze.stages(incident)],
        ("owners", "area"): sorted(LEADS),
        ("notices", "pk"): list(Notice.objects.filter(incident=incident).issued().values_list("pk", flat=True)),
        ("copies", "copy"): list(Delivery.objects.filter(notice__incident=incident).values_list("pk", flat=True)),
        ("notices", "kind"): [NoticeKind.A.value],
        ("foreign", "seq"): [entry.seq for entry in (*foreign.kept(incident)[:1], *foreign.marks(incident)[:1])],
        ("evidence", "seq"): [1],
        ("files", "sha256"): list(incident.attachments.values_list("sha256", flat=True)),
    }


def of(incident: Incident) -> dict[str, list[str]]:
    """Each route's addresses. A place that nobody has said how to fill is a KeyError: say it in `fillings`."""
    known = fillings(incident)
    return {route: _filled(route, known) for route in routes()}


def _filled(route: str, known: dict[tuple[str, str], list[Any]]) -> list[str]:
    places = list(PLACE.finditer(route))
    # What stands behind a place are the acts of one thing: they answer with its page, so one thing is enough for them.
    most = [1 if route[place.end() :].strip("/") else None for place in places]
    choices = product(*(known[place["before"], place["name"]][:some] for place, some in zip(places, most, strict=True)))
    return ["/" + _put(route, places, values) for values in choices]


def _put(route: str, places: list[re.Match[str]], values: Iterable[Any]) -> str:
    for place, value in zip(places, values, strict=True):
        route = route.replace(f"<{place['kind']}:{place['name']}>", str(value), 1)
    return route


def pages(client: Client, incident: Incident) -> list[str]:
    """The addresses that show a page to this person, each page once: some of its acts answer with the page itself."""
    seen: dict[str, str] = {}
    for address in chain.from_iterable(of(incident).values()):
        answer = client.get(address)
        expected = (200, 302, 404, 405) if address.endswith(ONLY_AFTER_A_TRY) else (200, 302, 405)
        assert answer.status_code in expected, f"{address} answers {answer.status_code}"
        if answer.status_code == 200 and answer["Content-Type"].startswith("text/html"):
            seen.setdefault(PASSING.sub("", answer.content.decode()), address)
    return list(seen.values())

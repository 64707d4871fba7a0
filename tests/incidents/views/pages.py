"""A person at the pages of one incident: what they open, what they send, what they are told."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import Any

from django.contrib.messages import get_messages
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from incidents.models import Incident

_DENIED = r'<div class="note due">.*?<p>(.*?)</p></div>'
STEP_PAGES = ("freeze", "target", "rollback", "cleanup", "verify", "unfreeze", "deliver")


@dataclass
class Visitor:
    """One signed-in person in one incident."""

    client: Client
    incident: Incident

    def open(self, page: str, *args: Any, **headers: Any) -> HttpResponse:
        return self.client.get(self.url(page, *args), **headers)

    def send(self, page: str, *args: Any, **fields: Any) -> HttpResponse:
        """Post a form and stay where the answer leads."""
        return self.client.post(self.url(page, *args), fields)

    def url(self, page: str, *args: Any) -> str:
        return reverse(f"incidents:{page}", args=[self.incident.reference, *args])


def at(incident: Incident, person: Any) -> Visitor:
    client = Client()
    client.force_login(person)
    return Visitor(client, incident)


def text_of(response: HttpResponse) -> str:
    """What a page says, without its markup."""
    return text_in(response.content.decode())


def text_in(page: str) -> str:
    words = re.sub(r"<(script|style|svg)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", words)).split())


def refusals(response: HttpResponse) -> list[str]:
    """The sentences that say why a form was not taken: of its box, or of the page for who may not send it."""
    if response.status_code == 403:
        return [" ".join(html.unescape(line).split()) for line in re.findall(_DENIED, response.content.decode())]
    found = re.search(r'<section class="refused".*?</section>', response.content.decode(), re.DOTALL)
    lines = re.findall(r"<li>(.*?)</li>", found.group(0), re.DOTALL) if found else []
    return [" ".join(html.unescape(re.sub(r"<[^>]+>", "", line)).split()) for line in lines]


def told(response: HttpResponse) -> list[str]:
    """The messages that wait for the next page."""
    return [str(message) for message in get_messages(response.wsgi_request)]

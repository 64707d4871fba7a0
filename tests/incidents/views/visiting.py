"""Somebody signed in, outside any one incident; what a page costs, and what is on record."""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from incidents.models import EvidenceEntry


def signed_in(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def errors(response: Any) -> list[str]:
    """Everything that the page's form refuses with, the whole form first."""
    form = response.context["form"]
    return [str(error) for name in ("__all__", *form.fields) for error in form.errors.get(name, [])]


def statements(client: Client, url: str) -> int:
    """How many statements a page takes once it is warm, session and user included."""
    client.get(url)
    with CaptureQueriesContext(connection) as asked:
        assert client.get(url).status_code == 200
    return len(asked)


def entries() -> int:
    """How much is on record: an act that was refused leaves nothing."""
    return EvidenceEntry.objects.count()

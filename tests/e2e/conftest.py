"""The people of an incident, each in a browser of their own, on a served portal with a worker and a mail server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.sessions.models import Session

from comms.models import Recipient
from incidents.terms import Role
from tests.e2e.someone import Someone
from tests.factories import Crew, ProductFactory, make_crew

STAKEHOLDERS = ("support@stakeholders.test", "executives@stakeholders.test")


@pytest.fixture
def crew(served: Any) -> Crew:
    """Six people and a product with two stakeholders, on the database that the served portal reads."""
    crew = make_crew(ProductFactory(slug="portarium", name="Portarium"))
    for address in STAKEHOLDERS:
        Recipient.objects.create(product=crew.product, name=address.partition("@")[0].title(), email=address)
    return crew


@pytest.fixture
def seated(open_page: Callable[..., Any]) -> Callable[..., Someone]:
    """Somebody signed in: `seated(user, reference, width=390)`; the rest goes to `open_page`."""

    def seat(user: Any, reference: str = "", **options: Any) -> Someone:
        return Someone(user, open_page(user, **options), reference)

    return seat


@pytest.fixture
def company(crew: Crew, open_page: Callable[..., Any]) -> dict[Role, Someone]:
    """The six, each signed in through the sign-in page in a browser context of their own."""
    company = {role: Someone(crew[role], open_page()) for role in Role}
    for person in company.values():
        person.sign_in()
    assert Session.objects.count() == len(company)
    return company

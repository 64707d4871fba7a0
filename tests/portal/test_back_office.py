"""The back office as a whole: every page stands in a section of its start page."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.urls import reverse

from portal.admin import SECTIONS
from tests.incidents.admin.given import clerk

pytestmark = pytest.mark.django_db


def test_every_page_stands_in_a_section_and_every_section_has_its_pages() -> None:
    _, client = clerk()

    apps = client.get(reverse("admin:index")).context["app_list"]

    shown = {app["name"]: " ".join(page["object_name"] for page in app["models"]) for app in apps}
    assert shown == SECTIONS
    assert len(" ".join(SECTIONS.values()).split()) == len(admin.site._registry)


def test_the_page_of_one_app_lists_its_own() -> None:
    _, client = clerk()

    page = client.get(reverse("admin:app_list", args=["accounts"])).content.decode()

    assert reverse("admin:accounts_user_changelist") in page

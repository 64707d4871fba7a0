"""The Celery application. Tasks are doorbells: a row id in, load, claim, one call."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import worker_ready

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("lastgood")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_ready.connect
def note_worker(**_: Any) -> None:
    """A fresh worker is seen at once, not only after its first sweep."""
    from incidents import dispatch

    dispatch.note_worker()


@worker_ready.connect
def compare_with_what_was_signed(**_: Any) -> None:
    """A database that was put back to an older state is noticed when the portal starts."""
    from incidents import tasks

    tasks.ring_all_checkpoints()

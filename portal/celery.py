"""The Celery application. Tasks are doorbells: a row id in, load, claim, one call."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("lastgood")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

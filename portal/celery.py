"""The Celery application. Tasks are doorbells: a row id in, load, claim, one call."""

from __future__ import annotations

import gc
import os
from typing import Any

from celery import Celery
from celery.signals import task_prerun, worker_init, worker_process_init, worker_ready
from kombu.transport.redis import Channel

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("lastgood")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
# kombu 5.7 puts unread messages back over a connection that is gone already, and the worker ends of that: each time the
# broker restarts under load. The sweep rings again for whatever a message was lost of, so none is put back.
Channel.do_restore = False
# Celery closes the database around each task; opening it again takes ten times as long as a start of an action.
app.conf["CELERY_DB_REUSE_MAX"] = 1_000_000


@task_prerun.connect
def use_a_connection_that_works(**_: Any) -> None:
    """As a web request does: one that failed or is too old is opened again, one that rested is asked first."""
    from django.db import close_old_connections

    close_old_connections()


@worker_init.connect
def warm_up_the_pool(**_: Any) -> None:
    """Said only now, so that it comes after Celery has closed what a new process inherited."""
    worker_process_init.connect(_warm_up)


def _warm_up(**_: Any) -> None:
    from incidents import dispatch

    dispatch.warm_up()
    gc.collect()
    gc.freeze()  # what is loaded by now stays: looking through it again would stop a start for milliseconds


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

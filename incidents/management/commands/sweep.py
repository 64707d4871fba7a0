"""Repeat what a lost message left undone: `manage.py sweep`; with `--loop`, be the worker as well, without Redis."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import structlog
from celery import current_app
from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, close_old_connections

from incidents import dispatch, tasks
from incidents.models import GateRun, Rehearsal
from incidents.steps import attempts
from incidents.steps.base import Denied, Refused
from incidents.terms import AttemptState

log = structlog.get_logger()
MAIL_SWEEP = "comms.tasks.sweep"


class Command(BaseCommand):
    help = "Sweeps lost work up once; with --loop again and again, and runs what is queued in this process."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--loop", action="store_true", help="go on until SIGTERM or Ctrl-C, and run what is queued")
        parser.add_argument("--every", type=float, default=2.0, metavar="SECONDS", help="pause between rounds (2)")

    def handle(self, *args: Any, loop: bool, every: float, **options: Any) -> None:
        if not loop:
            sweep()
            return
        current_app.conf.task_always_eager = True  # what a sweep or a receiver rings is done here, not published
        stopped = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopped.set())
        while not stopped.is_set():
            _round()
            stopped.wait(every)


def sweep() -> None:
    """What beat does: the sweep of actions and gates, and that of the mail where it is installed."""
    tasks.sweep()
    current_app.loader.import_default_modules()
    if mail := current_app.tasks.get(MAIL_SWEEP):
        mail()


def _round() -> None:
    close_old_connections()
    _tried(sweep)
    _tried(tasks.follow_all)
    for rows, run in (
        (attempts.waiting(), dispatch.run_attempt),
        (GateRun.objects.filter(state=AttemptState.QUEUED).order_by("asked_at"), dispatch.run_gate),
        (Rehearsal.objects.filter(state=AttemptState.QUEUED).order_by("asked_at"), dispatch.run_rehearsal),
    ):
        for row_id in _tried(partial(list, rows.values_list("pk", flat=True))) or []:
            _tried(partial(run, row_id))


def _tried(act: Callable[[], Any]) -> Any:
    """Do it; what the next round may well do better is logged and left."""
    try:
        return act()
    except (DatabaseError, Refused, Denied) as error:
        log.warning("sweep.left", error=type(error).__name__)
        return None

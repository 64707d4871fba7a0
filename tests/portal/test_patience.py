"""How long a session waits for others, and how long it may stand still, as the database itself says."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from portal.bootstrap.places import ROOT

pytestmark = pytest.mark.django_db
ASKED = """
import django
django.setup()
from django.db import connection
with connection.cursor() as cursor:
    for name in {names}:
        cursor.execute(f"{{'SHOW' if connection.vendor == 'postgresql' else 'PRAGMA'}} {{name}}")
        print(cursor.fetchone()[0])
"""


def said(*names: str, options: str = "", **settings: str) -> list[str]:
    url = os.environ["DATABASE_URL"]
    env = os.environ | {"DATABASE_URL": url + options} | settings
    run = [sys.executable, "-c", ASKED.format(names=names)]
    done = subprocess.run(run, env=env, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.split()


def test_what_is_set_reaches_the_database(engine: str) -> None:
    if engine == "sqlite":
        assert said("busy_timeout", LASTGOOD_DATABASE_PATIENCE_SECONDS="6") == ["6000"]
        assert said("busy_timeout", LASTGOOD_DATABASE_PATIENCE_SECONDS="0") == ["20000"]
        return
    names = ("lock_timeout", "idle_in_transaction_session_timeout", "application_name")
    own = "?options=-c%20application_name=ours"

    assert said(*names, options=own, LASTGOOD_DATABASE_PATIENCE_SECONDS="6") == ["6s", "3s", "ours"]
    assert said(*names, options=own, LASTGOOD_DATABASE_PATIENCE_SECONDS="0") == ["0", "0", "ours"]

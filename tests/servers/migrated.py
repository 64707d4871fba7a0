"""Databases that have the portal's tables: migrated once in a run, and copied wherever one is needed from then on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from portal.bootstrap.places import ROOT
from portal.demo.processes import Child
from portal.testing import postgres


def sqlite(file: Path) -> str:
    """The address of a database in this file, which is not there yet."""
    shutil.copy(_file(), file)
    return f"sqlite:///{file}"


def postgresql(folder: Path, log: Path, *, durable: bool = False) -> tuple[Child, str]:
    """A running server with its data in this folder, and its address."""
    return postgres.start(folder, log, durable=durable, like=_cluster())


@cache
def _place() -> tempfile.TemporaryDirectory[str]:
    """Gone when this process ends."""
    place = tempfile.TemporaryDirectory(prefix="lg-", ignore_cleanup_errors=True)
    Path(place.name).chmod(0o755)
    return place


@cache
def _file() -> Path:
    file = Path(_place().name) / "lastgood.sqlite3"
    _migrate(f"sqlite:///{file}")
    return file


@cache
def _cluster() -> Path:
    folder = Path(_place().name) / "pg"
    folder.mkdir()
    child, url = postgres.start(folder, folder.with_suffix(".log"))
    try:
        _migrate(url)
    finally:
        child.stop()
    return folder / "data"


def _migrate(url: str) -> None:
    env = os.environ | {
        "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "LASTGOOD_DATA_DIR": _place().name,
    }
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(command, env=env, cwd=ROOT, check=True, timeout=100)

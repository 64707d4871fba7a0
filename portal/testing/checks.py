"""What needs no server: linters, types, templates. All run, so that one look shows all that is wrong."""

import os
import subprocess
import sys
from pathlib import Path

from portal.bootstrap.places import ROOT, VENV


def run() -> list[str]:
    """Run every check side by side, print what each found, return the names of those that failed."""
    env = os.environ | {"SECRET_KEY": "only-for-checks", "DATABASE_URL": "sqlite://:memory:"}
    started = {
        name: subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for name, command in _commands().items()
    }
    failed = []
    for name, process in started.items():
        output = process.communicate()[0].strip()
        if process.returncode:
            failed.append(name)
            print(f"{name}: FAILED\n{output}\n", flush=True)
        else:
            print(f"{name}: {output.splitlines()[-1] if output else 'ok'}", flush=True)
    return failed


def _commands() -> dict[str, list[str]]:
    templates = sorted(str(path.relative_to(ROOT)) for path in Path(ROOT / "templates").rglob("*.html"))
    return {
        "mypy": [sys.executable, "-m", "mypy"],
        "ruff check": [str(VENV / "bin" / "ruff"), "check", "."],
        "ruff format": [str(VENV / "bin" / "ruff"), "format", "--check", "."],
        "djade": [str(VENV / "bin" / "djade"), "--check", "--target-version", "5.2", *templates],
        "migrations": [sys.executable, "manage.py", "makemigrations", "--check", "--dry-run"],
    }

"""The lock files: reading one package out of them and making them anew."""

import re
import subprocess

from portal.bootstrap.places import AUDIT, LOCKS, OUTSIDE, PYTHON, ROOT, VENV, give_up


def pinned(lock: str, package: str) -> str:
    """The lines of one package, with its hashes, as a requirements file of its own."""
    found = re.search(rf"^{re.escape(package)}==.*?(?=^[a-z])", lock + "\na", re.MULTILINE | re.DOTALL)
    if not found:
        give_up(f"{package} is missing from the lock file; run `python3 manage.py lock`")
    return found.group()


def refresh_locks(options: list[str]) -> int:
    """Resolve pyproject.toml again for Python 3.11 and up; `--upgrade` takes the newest of everything allowed."""
    from portal.bootstrap.environment import venv_with_pip

    subprocess.run([*venv_with_pip(), "install", "--quiet", "uv"], check=True)
    compile_lock = [
        *(str(PYTHON), "-m", "uv", "pip", "compile", "--quiet", "--universal"),
        *("--python-version", "3.11", "--generate-hashes"),
        *("--custom-compile-command", "python3 manage.py lock", "--cache-dir", str(VENV / "cache" / "uv"), *options),
    ]
    run, test = LOCKS["run"].name, LOCKS["test"].name
    whole = ["pyproject.toml", "--extra", "demo"]
    groups = [["--group", group, "-o", lock.name] for group, lock in (("outside", OUTSIDE), ("audit", AUDIT))]
    for what in ([*whole, "-o", run], [*whole, "--extra", "test", "-c", run, "-o", test], *groups):
        subprocess.run([*compile_lock, *what], cwd=ROOT, check=True)
    return 0

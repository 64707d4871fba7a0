"""Ask a vulnerability service for every locked package, and list what a release is made of."""

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from portal.bootstrap.environment import apart, digest_of, ensure
from portal.bootstrap.places import AUDIT, CACHE, LOCKS, OUTSIDE, ROOT, VENV, say

FOLDER = VENV / "audit"
LOOKED_AT = (LOCKS["run"], LOCKS["test"], OUTSIDE, AUDIT)
WELL, VULNERABLE, UNASKED = 0, 1, 2


def audit(options: list[str]) -> int:
    """Print each known vulnerability of what the lock files name. A package that cannot be asked for is no clean bill.

    Args:
        options: `--lock FILE` for another lock file; the rest goes to pip-audit, as `--osv-url URL` of a service in the
            house, or `--ignore-vuln ID` for one that was looked at.

    Returns:
        0 where every package was asked for and none is known to be vulnerable, 1 where one is, 2 where not all could
        be asked for.
    """
    try:
        (locks, rest), python = _locks(options), _python()
    except (SystemExit, subprocess.CalledProcessError, IndexError) as error:
        _print(f"nothing could be asked for: {error}")
        return UNASKED
    ends = []
    for lock in locks:
        found, fault = _asked(python, lock, rest)
        ends.append(_told(lock.name, found, fault))
    return VULNERABLE if VULNERABLE in ends else max(ends)


def list_parts(options: list[str]) -> int:
    """Write the bill of materials of what runs (CycloneDX, JSON), from the lock file alone: `manage.py sbom > FILE`."""
    what = ["requirements", str(LOCKS["run"]), "--pyproject", str(ROOT / "pyproject.toml"), "--output-reproducible"]
    return subprocess.run([_python(), "-W", "ignore", "-m", "cyclonedx_py", *what, *options], check=False).returncode


def _locks(options: list[str]) -> tuple[tuple[Path, ...], list[str]]:
    if "--lock" not in options:
        return LOOKED_AT, options
    place = options.index("--lock")
    return (Path(options[place + 1]),), options[:place] + options[place + 2 :]


def _python() -> Path:
    """The tools' own environment, made anew when their lock file changes."""
    ensure("run")
    stamp, python = FOLDER / "lock", FOLDER / "bin" / "python"
    if not stamp.exists() or stamp.read_text() != digest_of(AUDIT):
        say(f"installing {AUDIT.name} into .venv/audit")
        apart(AUDIT, FOLDER)
        stamp.write_text(digest_of(AUDIT))
    return python


def _asked(python: Path, lock: Path, options: list[str]) -> tuple[list[dict[str, Any]], str]:
    """What the service says of each package; or the last line of what went wrong."""
    command = [*(str(python), "-m", "pip_audit", "--disable-pip", "--require-hashes"), *("-r", str(lock))]
    command += ["--format", "json", "--progress-spinner", "off", "--cache-dir", str(CACHE / "pip-audit"), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        return list(json.loads(done.stdout)["dependencies"]), ""
    except ValueError:
        return [], (done.stderr.strip().splitlines() or ["no answer"])[-1]


def _told(lock: str, found: list[dict[str, Any]], fault: str) -> int:
    known, unasked = list(_known(found)), [row["name"] for row in found if "skip_reason" in row]
    for line in known:
        _print(f"{lock}: {line}")
    if fault or not found:
        _print(f"{lock}: nothing could be asked for: {fault or 'it names no package'}")
    elif unasked:
        _print(f"{lock}: {len(unasked)} of {len(found)} packages could not be asked for: {_few(unasked)}")
    elif not known:
        _print(f"{lock}: {len(found)} packages, no known vulnerability")
    return VULNERABLE if known else UNASKED if unasked or fault or not found else WELL


def _known(found: Iterable[dict[str, Any]]) -> Iterator[str]:
    for row in found:
        for one in row.get("vulns", ()):
            fixed = ", ".join(one["fix_versions"]) or "no version yet"
            yield f"{row['name']} {row['version']}: {one['id']}, fixed in {fixed}"


def _few(names: list[str]) -> str:
    return ", ".join(names[:5]) + (" …" if len(names) > 5 else "")


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()

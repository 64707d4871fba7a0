"""`manage.py test`: private servers, the checks, then pytest on PostgreSQL and SQLite side by side."""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from portal.bootstrap import libraries
from portal.bootstrap.places import CACHE, ROOT
from portal.demo.processes import follow_parent
from portal.testing import checks, engines
from portal.testing.engines import Engine

NOTHING_COLLECTED = 5


def main(arguments: list[str]) -> int:
    """Run everything in tests/, or what the pytest arguments name; 0 only if all of it holds."""
    options, pytest_arguments = _parse(arguments)
    with tempfile.TemporaryDirectory(prefix="lastgood-", ignore_cleanup_errors=True) as folder:
        # PostgreSQL runs as another user when this is root, and has to reach its part of the folder.
        Path(folder).chmod(0o755)
        with engines.running(Path(folder), options.engine) as running:
            _introduce(running, quick=options.quick)
            failed = [] if options.no_checks else checks.run()
            try:
                codes = _pytest(running, pytest_arguments, Path(folder), quick=options.quick)
            except KeyboardInterrupt:
                return 130
    if set(codes.values()) != {NOTHING_COLLECTED}:
        # What runs once is not collected on SQLite; then the other engine speaks for both.
        codes = {title: code for title, code in codes.items() if code != NOTHING_COLLECTED}
    failed += [f"pytest on {title}" for title, code in codes.items() if code]
    if failed:
        print(f"\nFailed: {', '.join(failed)}", flush=True)
    return 1 if failed else 0


def _introduce(running: list[Engine], *, quick: bool) -> None:
    browser = None if quick else libraries.browser()
    print(f"Python {platform.python_version()}")
    for engine in running:
        print(f"{engine.title} with {engine.broker}")
    print(libraries.browser_version(browser) if browser else "No browser: --quick leaves out browser, faults and bench")
    if len(running) == 1:
        print(f"Only {running[0].name}, as DATABASE_URL or --engine says; the whole run is on PostgreSQL and SQLite.")
    print(flush=True)


def _pytest(running: list[Engine], arguments: list[str], folder: Path, *, quick: bool) -> dict[str, int]:
    """The first engine speaks to the terminal, the second into a file that is shown when both are done."""
    began, processes = time.monotonic(), {}
    for engine in running:
        first = engine is running[0]
        output = None if first else (folder / f"{engine.name}.out").open("w")
        left_out = _once(engine, quick=quick) | _shared(engine, running, quick=quick)
        processes[engine] = subprocess.Popen(
            [sys.executable, "-m", "pytest", *_options(engine, folder, colour=not first), *arguments],
            cwd=ROOT,
            env=os.environ | engine.env | left_out | {"CHROMIUM": libraries.browser() or ""},
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            preexec_fn=follow_parent(os.getpid()),
        )
    try:
        codes = {engine.title: process.wait() for engine, process in processes.items()}
    finally:
        # Ctrl-C reaches pytest as well, and its servers stay until it has ended.
        for process in processes.values():
            process.wait()
    print(f"\n{' and '.join(codes)}: {time.monotonic() - began:.0f} s", flush=True)
    for engine in running[1:]:
        print(f"\n{'=' * 20} the same on {engine.title} {'=' * 20}")
        print((folder / f"{engine.name}.out").read_text().rstrip(), flush=True)
    return codes


def _options(engine: Engine, folder: Path, *, colour: bool) -> list[str]:
    kept, thrown_away = CACHE / "pytest" / engine.name, folder / engine.name / "scratch" / "pytest"
    options = ["-o", f"cache_dir={kept}", f"--basetemp={thrown_away}"]
    return [*options, "--color=yes"] if colour and sys.stdout.isatty() else options


def _once(engine: Engine, *, quick: bool) -> dict[str, str]:
    """Why tests marked browser, faults or bench are left out of this process, if they are."""
    if quick:
        return {"LASTGOOD_LEAVE_OUT": "browser, faults, bench, thorough: not under --quick", "LASTGOOD_QUICK": "1"}
    if engine.name != "postgresql":
        return {"LASTGOOD_LEAVE_OUT": "browser, faults and bench: run once, on PostgreSQL"}
    return {}


def _shared(engine: Engine, running: list[Engine], *, quick: bool) -> dict[str, str]:
    """What uses no database has nothing to show twice: it runs once, beside SQLite, which has less to do.

    Under --quick the two engines also share the rules: each one is tested on one of them, by its name.
    """
    if len(running) == 1:
        return {}
    shared = {"LASTGOOD_HALF": str(running.index(engine))} if quick else {}
    if engine.name == "postgresql":
        shared["LASTGOOD_DATABASE_ONLY"] = "what uses no database: run once, beside SQLite"
    return shared


def _parse(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        prog="manage.py test", allow_abbrev=False, epilog="Everything else goes to pytest: paths, -k, -x …"
    )
    parser.add_argument("--quick", action="store_true", help="without browser, fault, benchmark and thorough tests")
    parser.add_argument("--engine", choices=engines.NAMES, default=os.environ.get("LASTGOOD_TEST_ENGINE"))
    parser.add_argument("--no-checks", action="store_true", help="without ruff, mypy, djade and the migration check")
    return parser.parse_known_args(arguments)

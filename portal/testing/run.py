"""`manage.py test`: private servers, the checks, pytest on PostgreSQL and SQLite side by side, then the benches."""

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
                if len(running) > 1 and not options.quick:
                    codes |= _benches(running[0], pytest_arguments, Path(folder))
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
        shared = {"LASTGOOD_PARTS": " ".join(_parts(engine, running, quick=quick))}
        if quick:
            shared |= {"LASTGOOD_QUICK": "1", "LASTGOOD_HALF": str(running.index(engine)) if len(running) > 1 else ""}
        processes[engine] = subprocess.Popen(
            [sys.executable, "-m", "pytest", *_options(engine, folder, colour=not first), *arguments],
            cwd=ROOT,
            env=_environment(engine) | shared,
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


def _benches(engine: Engine, arguments: list[str], folder: Path) -> dict[str, int]:
    """What measures runs alone, when both engines have ended."""
    command = [sys.executable, "-m", "pytest", *_options(engine, folder, colour=True), *(arguments or ["tests/bench"])]
    env, began = _environment(engine) | {"LASTGOOD_PARTS": "bench"}, time.monotonic()
    print(f"\n{'=' * 20} benches, alone {'=' * 20}", flush=True)
    done = subprocess.run(command, cwd=ROOT, env=env, preexec_fn=follow_parent(os.getpid()), check=False)
    print(f"\nbenches: {time.monotonic() - began:.0f} s", flush=True)
    return {"the benches": done.returncode}


def _environment(engine: Engine) -> dict[str, str]:
    return os.environ | engine.env | {"CHROMIUM": libraries.browser() or ""}


def _options(engine: Engine, folder: Path, *, colour: bool) -> list[str]:
    kept, thrown_away = CACHE / "pytest" / engine.name, folder / engine.name / "scratch" / "pytest"
    options = ["-o", f"cache_dir={kept}", f"--basetemp={thrown_away}"]
    return [*options, "--color=yes"] if colour and sys.stdout.isatty() else options


def _parts(engine: Engine, running: list[Engine], *, quick: bool) -> list[str]:
    """Which of the tests this process runs, by the words of `tests.servers.rules.part_of`.

    What uses no database has nothing to show twice, and browser, faults and benches run once: the two processes share
    them so that they take equally long.
    """
    alone, is_postgresql = len(running) == 1, engine.name == "postgresql"
    parts = ["rules"] if is_postgresql and not alone else ["rules", "pure"]
    if quick:
        return parts
    parts.append(f"faults-{engine.name}")
    if is_postgresql:
        parts.append("once")
    if is_postgresql == alone:
        parts.append("once-pure")
    return [*parts, "bench"] if is_postgresql and alone else parts


def _parse(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        prog="manage.py test", allow_abbrev=False, epilog="Everything else goes to pytest: paths, -k, -x …"
    )
    parser.add_argument("--quick", action="store_true", help="without browser, fault, benchmark and thorough tests")
    parser.add_argument("--engine", choices=engines.NAMES, default=os.environ.get("LASTGOOD_TEST_ENGINE"))
    parser.add_argument("--no-checks", action="store_true", help="without ruff, mypy, djade and the migration check")
    return parser.parse_known_args(arguments)

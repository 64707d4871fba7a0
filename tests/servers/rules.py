"""What holds for every test: none is skipped in silence, some run once, the evidence triggers let Django clean up."""

import gc
import itertools
import math
import os
import zlib
from collections import defaultdict
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.db import connection
from django.test import TransactionTestCase

CASES = 3
LEFT_OUT = pytest.StashKey[int]()


class CheapArgon2(Argon2PasswordHasher):
    """Hashes that a served portal verifies as well, at a hundredth of the time."""

    time_cost = 1
    memory_cost = 8
    parallelism = 1


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what the test command runs elsewhere, and count it."""
    left_out = {item for item in items if _is_left_out(item)}
    if os.environ.get("LASTGOOD_QUICK"):
        left_out |= _rest_of_tables(items)
    config.stash[LEFT_OUT] = len(left_out)
    config.hook.pytest_deselected(items=[item for item in items if item in left_out])
    items[:] = [item for item in items if item not in left_out]
    # The faults of PostgreSQL come last by themselves: two suites that kill and stall would starve each other.
    items.sort(key=lambda item: part_of(item) != "faults-sqlite")


def _rest_of_tables(items: list[pytest.Item]) -> set[pytest.Item]:
    """What --quick leaves of tables: all but some cases, taken evenly from the first to the last."""
    tables = defaultdict(list)
    for item in items:
        if keep := _kept_of_table(item):
            tables[item.nodeid.partition("[")[0], keep].append(item)
    kept = {item for (_, keep), cases in tables.items() for item in cases[:: math.ceil(len(cases) / keep)]}
    return {item for cases in tables.values() for item in cases} - kept


def _kept_of_table(item: pytest.Item) -> int:
    """How many cases of this test --quick keeps; 0 if it is no table or a quick one."""
    marker = item.get_closest_marker("thorough")
    if marker:
        return marker.kwargs.get("keep", 0)
    return CASES if hasattr(item, "callspec") and _uses_database(item) else 0


def _is_left_out(item: pytest.Item) -> bool:
    part, parts = part_of(item), os.environ.get("LASTGOOD_PARTS")
    if parts is not None and part not in parts.split():
        return True
    if item.get_closest_marker("thorough") and not _kept_of_table(item) and os.environ.get("LASTGOOD_QUICK"):
        return True
    half = os.environ.get("LASTGOOD_HALF")
    return bool(half) and part == "rules" and _half_of(item) != int(half)


def part_of(item: pytest.Item) -> str:
    """Which part of the whole run a test belongs to.

    `rules` run on each engine, `pure` ones use no database or mind none; `once` are browser and faults on the test's
    database, `once-pure` without it, `faults-sqlite` and `faults-postgresql` on an installation of that engine; and
    `bench`.
    """
    if item.get_closest_marker("bench"):
        return "bench"
    if item.get_closest_marker("one_engine"):
        return "pure"
    pure = "" if _uses_database(item) else "-pure"
    if item.get_closest_marker("faults") and (engine := _engine_of(item)):
        return f"faults-{engine}"
    if item.get_closest_marker("browser") or item.get_closest_marker("faults"):
        return f"once{pure}"
    return "pure" if pure else "rules"


def _engine_of(item: pytest.Item) -> str:
    """The engine of the installation that a fault scenario runs on."""
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    return next((parameters[name] for name in ("portal", "office") if name in parameters), "")


def _half_of(item: pytest.Item) -> int:
    """Two tests of five for the first engine, PostgreSQL: a test takes longer there."""
    return int(zlib.crc32(item.nodeid.encode()) % 5 > 1)


def _uses_database(item: pytest.Item) -> bool:
    asked = getattr(item, "fixturenames", ())
    return item.get_closest_marker("django_db") is not None or "db" in asked or "transactional_db" in asked


def pytest_collection_finish() -> None:
    """A portal and thousands of tests stay until the end: looking through them again and again is a tenth of a run."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was left out and why."""
    if number := config.stash.get(LEFT_OUT, 0):
        why = [f"this process runs {os.environ['LASTGOOD_PARTS']}"] if "LASTGOOD_PARTS" in os.environ else []
        if "LASTGOOD_QUICK" in os.environ:
            why.append(f"--quick tests {CASES} cases of a table on the database")
        if os.environ.get("LASTGOOD_HALF"):
            why.append("and each rule on one of the two engines")
        terminalreporter.write_line(f"{number} tests left out ({'; '.join(why)})")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A skipped test has proven nothing, so it fails."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        report.outcome, report.longrepr = "failed", f"{item.nodeid} was skipped: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a file that skips itself."""
    report = yield
    if report.skipped:
        report.outcome, report.longrepr = "failed", f"{report.nodeid} was skipped: {report.longrepr}"
    return report


@pytest.fixture(scope="session", autouse=True)
def _flush_passes_the_evidence_triggers() -> Iterator[None]:
    """Entries refuse to be deleted, so the triggers go right before a transactional test's flush.

    The flush sends post_migrate, which makes them again.
    """
    from incidents.evidence import triggers

    flush = TransactionTestCase._fixture_teardown

    def teardown(self: TransactionTestCase) -> None:
        triggers.drop(connection)
        flush(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", teardown)
        yield


@pytest.fixture(scope="session", autouse=True)
def _cheap_passwords() -> Iterator[None]:
    from django.conf import settings

    name = f"{__name__}.{CheapArgon2.__name__}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "PASSWORD_HASHERS", [name, *settings.PASSWORD_HASHERS])
        yield


@pytest.fixture(scope="session")
def _witnesses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folders that are made when something is first signed."""
    place = tmp_path_factory.mktemp("witness")
    return (place / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def _own_witness(_witnesses: Iterator[Path], settings: Any) -> None:
    """What one test signs is no witness against the next one's database."""
    settings.WITNESS_DIR = next(_witnesses)


@pytest.fixture(scope="session", autouse=True)
def _static_files_are_looked_up_once() -> Iterator[None]:
    """Every test client makes the middleware anew, which looks at each of two hundred files."""
    from whitenoise.middleware import WhiteNoiseMiddleware

    found: dict[str, object] = {}
    look_up = WhiteNoiseMiddleware.add_files_from_finders

    def remember(self: WhiteNoiseMiddleware) -> None:
        if not found:
            look_up(self)
            found.update(self.files)
        self.files.update(found)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", remember)
        yield


@pytest.fixture
def engine(db: None) -> str:
    """The database this test runs on: "postgresql" or "sqlite"."""
    return connection.vendor

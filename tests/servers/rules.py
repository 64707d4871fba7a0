"""What holds for every test: none is skipped in silence, some run once, the evidence triggers let Django clean up."""

import os
import zlib
from collections.abc import Generator, Iterator

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.db import connection
from django.test import TransactionTestCase

ONCE = ("browser", "faults", "bench")
LEFT_OUT = pytest.StashKey[int]()


class CheapArgon2(Argon2PasswordHasher):
    """Hashes that a served portal verifies as well, at a hundredth of the time."""

    time_cost = 1
    memory_cost = 8
    parallelism = 1


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what the test command runs elsewhere, and count it."""
    left_out = [item for item in items if _is_left_out(item)]
    config.stash[LEFT_OUT] = len(left_out)
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in set(left_out)]


def _is_left_out(item: pytest.Item) -> bool:
    if any(item.get_closest_marker(name) for name in ONCE):
        return bool(os.environ.get("LASTGOOD_LEAVE_OUT"))
    if item.get_closest_marker("thorough") and os.environ.get("LASTGOOD_QUICK"):
        return True
    if not _uses_database(item):
        return bool(os.environ.get("LASTGOOD_DATABASE_ONLY"))
    half = os.environ.get("LASTGOOD_HALF")
    return half is not None and zlib.crc32(item.nodeid.encode()) % 2 != int(half)


def _uses_database(item: pytest.Item) -> bool:
    asked = getattr(item, "fixturenames", ())
    return item.get_closest_marker("django_db") is not None or "db" in asked or "transactional_db" in asked


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was left out and why."""
    if number := config.stash.get(LEFT_OUT, 0):
        why = [os.environ[name] for name in ("LASTGOOD_LEAVE_OUT", "LASTGOOD_DATABASE_ONLY") if os.environ.get(name)]
        if "LASTGOOD_HALF" in os.environ:
            why.append("--quick tests each rule on one of the two engines")
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


@pytest.fixture
def engine(db: None) -> str:
    """The database this test runs on: "postgresql" or "sqlite"."""
    return connection.vendor

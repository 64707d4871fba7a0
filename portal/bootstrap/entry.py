"""What a command needs before its first import, and the step into `.venv`."""

import os
import sys
import time

from portal.bootstrap import debian, environment, libraries
from portal.bootstrap.places import CACHE, PREFIX, PYTHON, ROOT, give_up, is_inside, say

TRIED = PREFIX / "tried"


def enter(command: str, options: list[str]) -> None:
    """Return inside an environment that can run the command; otherwise start it again in one.

    `demo` and `test` always use the checkout's own `.venv`; any other command also takes the environment that is
    active. Raises SystemExit with what to type where a part cannot be had.
    """
    if command not in ("demo", "test") and sys.prefix != sys.base_prefix and not is_inside():
        return
    if command == "demo":
        os.environ.setdefault("LASTGOOD_TYPED_AT", str(time.time()))
    environment.ensure("test" if command == "test" else "run")
    _step_in()
    if command == "demo":
        _have_pdf_libraries()
    elif command == "test":
        _have_pdf_libraries(must=True)
        if "--quick" not in options:
            _have_browser()
            _have_tracer()


def _step_in() -> None:
    """Replace this process by one from `.venv` that finds the unpacked libraries, unless this is it."""
    wanted = {"XDG_CACHE_HOME": str(CACHE), **debian.environment()}
    if is_inside() and all(os.environ.get(name) == value for name, value in wanted.items()):
        return
    sys.stdout.flush()
    command = [str(PYTHON), str(ROOT / "manage.py"), *sys.argv[1:]]
    os.execve(PYTHON, command, os.environ | wanted)  # noqa: S606


def _have_pdf_libraries(*, must: bool = False) -> None:
    if not libraries.missing_for_pdf():
        return
    # An offline machine should not wait for apt on every start of the demo.
    if (must or not TRIED.exists()) and debian.fetch(libraries.PDF_PACKAGES):
        _step_in()
    TRIED.parent.mkdir(parents=True, exist_ok=True)
    TRIED.touch()
    if missing := libraries.missing_for_pdf():
        sentence = f"PDF export is off, {', '.join(missing)} missing. Type: {libraries.advice(libraries.PDF_PACKAGES)}"
        give_up(sentence) if must else say(sentence)


def _have_browser() -> None:
    if libraries.can_drive_a_browser():
        return
    if debian.fetch(libraries.BROWSER_PACKAGES):
        _step_in()
    if not libraries.can_drive_a_browser():
        advice = libraries.advice(libraries.BROWSER_PACKAGES)
        give_up(f"the browser tests need Chromium. Type: {advice}\n(`--quick` runs everything else)")


def _have_tracer() -> None:
    if libraries.tracer() or (debian.fetch(libraries.TRACER_PACKAGES) and libraries.tracer()):
        return
    advice = libraries.advice(libraries.TRACER_PACKAGES)
    give_up(f"the fault tests need strace, and the right to trace. Type: {advice}\n(`--quick` runs everything else)")

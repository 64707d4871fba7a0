"""System libraries and the browser: probed, never assumed."""

import ctypes
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from portal.bootstrap.debian import UNPACKED

PDF_PACKAGES = ["libpangoft2-1.0-0", "libharfbuzz-subset0"]
BROWSER_PACKAGES = ["chromium", "libatomic1"]
TRACER_PACKAGES = ["strace"]
# What WeasyPrint opens (its text/ffi.py), by the names of Linux and macOS.
PDF_LIBRARIES = {
    "gobject": ("libgobject-2.0.so.0", "libgobject-2.0.dylib"),
    "pango": ("libpango-1.0.so.0", "libpango-1.0.dylib"),
    "pangoft2": ("libpangoft2-1.0.so.0", "libpangoft2-1.0.dylib"),
    "harfbuzz": ("libharfbuzz.so.0", "libharfbuzz.0.dylib"),
    "fontconfig": ("libfontconfig.so.1", "libfontconfig.1.dylib"),
    "harfbuzz-subset": ("libharfbuzz-subset.so.0", "libharfbuzz-subset.0.dylib"),
}
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def missing_for_pdf() -> list[str]:
    """The libraries WeasyPrint needs and this process cannot open; empty when PDF export works."""
    return [name for name, names in PDF_LIBRARIES.items() if not any(map(_opens, names))]


def browser() -> str | None:
    """A Chromium that starts: CHROMIUM from the environment, one on PATH, or the unpacked one."""
    unpacked = UNPACKED / "usr/lib/chromium/chromium"
    found = [os.environ.get("CHROMIUM"), *map(shutil.which, BROWSERS), str(unpacked) if unpacked.exists() else None]
    return next((path for path in found if path and browser_version(path)), None)


@cache
def browser_version(path: str) -> str:
    """What the browser calls itself; empty when it does not start (Ubuntu's `chromium` only points to a snap)."""
    try:
        asked = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return asked.stdout.strip() if asked.returncode == 0 else ""


def can_drive_a_browser() -> bool:
    """Whether a browser is there and Playwright's bundled Node finds its one library."""
    return browser() is not None and (sys.platform == "darwin" or _opens("libatomic.so.1"))


def tracer() -> str | None:
    """An strace that may trace: the one on PATH, or the unpacked one."""
    unpacked = UNPACKED / "usr/bin/strace"
    found = [shutil.which("strace"), str(unpacked) if unpacked.exists() else None]
    return next((path for path in found if path and _traces(path)), None)


@cache
def _traces(path: str) -> bool:
    return subprocess.run([path, "-qq", "-o", os.devnull, "true"], capture_output=True, check=False).returncode == 0


def advice(packages: list[str]) -> str:
    """The one line that installs what is missing."""
    if Path("/etc/debian_version").exists():
        return f"apt-get install --no-install-recommends {' '.join(packages)}"
    if packages == TRACER_PACKAGES:
        return "install strace (the fault scenarios run on Linux)"
    return "brew install pango" if packages == PDF_PACKAGES else "install Chromium and set CHROMIUM to its path"


def _opens(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True

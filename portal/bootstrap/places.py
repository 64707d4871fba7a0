"""Where the environment lives, and the two sentences every part of the bootstrap needs."""

import os
import sys
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
CACHE = VENV / "cache"
PREFIX = VENV / "sys"
STAMP = VENV / "lastgood.json"
AUDIT = ROOT / "requirements-audit.lock"
OUTSIDE = ROOT / "requirements-outside.lock"
LOCKS = {"run": ROOT / "requirements.lock", "test": ROOT / "requirements-test.lock"}


def is_root() -> bool:
    """Whether apt may change this machine."""
    return os.geteuid() == 0


def is_inside() -> bool:
    """Whether this process already runs from the checkout's environment."""
    return Path(sys.prefix).resolve() == VENV.resolve()


def say(sentence: str) -> None:
    """Tell the person at the terminal what happens now, apart from what a command prints to stdout."""
    print(f"lastgood: {sentence}", file=sys.stderr, flush=True)


def give_up(sentence: str) -> NoReturn:
    """End with one sentence that says what to do."""
    sys.exit(f"lastgood: {sentence}")

"""Whether LASTGOOD_COMMANDS has the shape that `allowlist` needs, and whether its programs are there."""

from __future__ import annotations

import os
import re
import resource
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")
FIELDS = {"argv", "dry_run", "arguments", "env", "cwd", "timeout_seconds", "rlimits"}
ARGUMENT_FIELDS = {"pattern", "choices", "max_length"}
SHELLS = {"sh", "bash", "dash", "ash", "zsh", "ksh", "fish", "busybox"}
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def problems(name: str, raw: object) -> list[str]:
    """Return sentences why this entry cannot be used; empty when it can."""
    if not isinstance(raw, Mapping):
        return [f"LASTGOOD_COMMANDS[{name!r}] must be an object."]
    found = [f"has no setting {key!r}" for key in raw if key not in FIELDS]
    found += _argv_problems(raw.get("argv")) or _placeholder_problems(raw)
    found += _dry_run_problems(raw) if "dry_run" in raw else []
    found += _place_problems(raw)
    return [f"LASTGOOD_COMMANDS[{name!r}] {problem}." for problem in found]


def _argv_problems(argv: object) -> list[str]:
    if not isinstance(argv, (list, tuple)) or not argv or not all(isinstance(item, str) for item in argv):
        return ["needs argv, a list of texts"]
    binary = Path(argv[0])
    if not binary.is_absolute() or PLACEHOLDER.search(argv[0]):
        return ["must begin with the absolute path of a program"]
    if not (binary.is_file() and os.access(binary, os.X_OK)):
        return [f"names {binary}, which is not a program that can be run here"]
    if {Path(item).name for item in argv} & SHELLS and any(PLACEHOLDER.search(item) for item in _scripts(argv)):
        return ['has a placeholder inside a shell script; give it as its own item after the script and use "$1" there']
    return []


def _dry_run_problems(raw: Mapping[str, Any]) -> list[str]:
    if found := _argv_problems(raw["dry_run"]):
        return [f"{problem} (in dry_run)" for problem in found]
    shapes = raw.get("arguments", {})
    used = {name for item in raw["dry_run"] for name in PLACEHOLDER.findall(item)}
    return [f"uses {{{name}}} in dry_run without describing it in arguments" for name in sorted(used - set(shapes))]


def _scripts(argv: Sequence[str]) -> list[str]:
    return [argv[at + 1] for at, item in enumerate(argv[:-1]) if re.fullmatch(r"-[a-z]*c[a-z]*", item)]


def _placeholder_problems(raw: Mapping[str, Any]) -> list[str]:
    shapes = raw.get("arguments", {})
    if not isinstance(shapes, Mapping):
        return ["needs arguments to be an object"]
    used = {name for item in raw["argv"] for name in PLACEHOLDER.findall(item)}
    found = [f"uses {{{name}}} without describing it in arguments" for name in sorted(used - set(shapes))]
    found += [f"describes {name!r}, which argv does not use" for name in sorted(set(shapes) - used)]
    return found + [
        f"argument {key!r} {problem}" for key, shape in shapes.items() for problem in _shape_problems(shape)
    ]


def _shape_problems(shape: object) -> list[str]:
    if not isinstance(shape, Mapping) or set(shape) - ARGUMENT_FIELDS or ("pattern" in shape) == ("choices" in shape):
        return ["takes either a pattern or choices, and max_length"]
    choices, length = shape.get("choices", ["x"]), shape.get("max_length", 1)
    if not isinstance(choices, (list, tuple)) or not choices or not all(map(_is_choice, choices)):
        return ["needs choices to be a list of texts"]
    if not _is_number(length) or length < 1:
        return ["needs a max_length of at least 1"]
    try:
        re.compile(shape.get("pattern", ""))
    except (re.error, TypeError):
        return ["has a pattern that is no regular expression"]
    return []


def _place_problems(raw: Mapping[str, Any]) -> list[str]:
    env, rlimits, seconds = raw.get("env", []), raw.get("rlimits", {}), raw.get("timeout_seconds", 1)
    found = []
    if not isinstance(env, (list, tuple)) or not all(
        isinstance(name, str) and VARIABLE.fullmatch(name) for name in env
    ):
        found.append("needs env to be a list of variable names")
    if not isinstance(cwd := raw.get("cwd", "/"), str) or not Path(cwd).is_absolute() or not Path(cwd).is_dir():
        found.append(f"needs cwd to be the absolute path of a folder that exists, not {cwd!r}")
    if not _is_number(seconds) or seconds <= 0:
        found.append("needs timeout_seconds above 0")
    if not isinstance(rlimits, Mapping) or not all(map(_is_rlimit, rlimits, rlimits.values())):
        found.append("needs rlimits to be whole numbers under names such as AS, CPU, NPROC")
    return found


def _is_rlimit(name: object, value: object) -> bool:
    return hasattr(resource, f"RLIMIT_{name}") and isinstance(value, int) and value >= 0


def _is_choice(value: object) -> bool:
    return isinstance(value, str) and is_passable(value)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_passable(value: str) -> bool:
    """Tell whether a text can be handed to a program at all: no NUL, no lone surrogates."""
    try:
        return b"\0" not in value.encode()
    except UnicodeEncodeError:
        return False

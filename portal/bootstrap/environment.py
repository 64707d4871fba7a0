"""The virtual environment in `.venv`: made once, brought up to date when a lock file or the Python changes."""

import fcntl
import hashlib
import json
import os
import platform
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from portal.bootstrap import debian
from portal.bootstrap.locks import pinned
from portal.bootstrap.places import CACHE, LOCKS, PYTHON, ROOT, STAMP, VENV, give_up, say


def ensure(extent: str) -> None:
    """Have everything of one lock file installed: `run` or `test`, which contains it."""
    if _is_current(extent):
        return
    with _one_at_a_time():
        if not _is_current(extent):
            _bring_up_to_date(extent)


def _wanted() -> dict[str, str]:
    digests = {extent: digest_of(lock) for extent, lock in LOCKS.items()}
    return {"python": f"{_version()} {platform.machine()}", "at": str(VENV), **digests}


def digest_of(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes()).hexdigest()


def _version() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _stamp() -> dict[str, str]:
    try:
        return dict(json.loads(STAMP.read_text()))
    except (OSError, ValueError):
        return {}


def _is_current(extent: str) -> bool:
    stamp, wanted = _stamp(), _wanted()
    return os.access(PYTHON, os.X_OK) and all(stamp.get(key) == wanted[key] for key in ("python", "at", "run", extent))


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    try:
        checkout = os.open(ROOT, os.O_RDONLY)
    except OSError as why:
        give_up(f"cannot open the checkout {ROOT}: {why}")
    try:
        fcntl.flock(checkout, fcntl.LOCK_EX)
        yield
    finally:
        os.close(checkout)


def _bring_up_to_date(extent: str) -> None:
    started, stamp, wanted = time.monotonic(), _stamp(), _wanted()
    if not os.access(ROOT, os.W_OK):
        give_up(f"{ROOT} is not writable, and everything Lastgood needs is kept in its .venv")
    if stamp.get("python") not in (wanted["python"], None) or stamp.get("at") not in (wanted["at"], None):
        shutil.rmtree(VENV)
    extent = "test" if "test" in stamp else extent
    STAMP.unlink(missing_ok=True)
    pip = venv_with_pip()
    say(f"installing {LOCKS[extent].name} into .venv")
    _install(LOCKS[extent], pip)
    kept = {key: wanted[key] for key in ("python", "at", "run", extent)}
    STAMP.write_text(json.dumps(kept, indent=1))
    say(f"environment ready after {time.monotonic() - started:.1f} s")


def venv_with_pip() -> list[str]:
    """Make `.venv` unless it is there, and say how to call pip in it."""
    if _answers([str(PYTHON), "-c", f"import sys; assert sys.version.startswith('{_version()}.')"]):
        if _answers([str(PYTHON), "-m", "pip", "--version"]):
            return [str(PYTHON), "-m", "pip"]
        return [str(PYTHON), str(debian.pip_wheel() / "pip")]
    say(f"making .venv with Python {platform.python_version()}")
    base = getattr(sys, "_base_executable", sys.executable)
    if _answers([base, "-m", "venv", "--clear", str(VENV)]):
        return [str(PYTHON), "-m", "pip"]
    # Debian without python3-venv: the attempt above leaves half an environment behind.
    shutil.rmtree(VENV, ignore_errors=True)
    if not _answers([base, "-m", "venv", "--without-pip", str(VENV)]):
        give_up(f"`{base} -m venv` fails; on Debian and Ubuntu: apt-get install python3-venv")
    return [str(PYTHON), str(debian.pip_wheel() / "pip")]


def _answers(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _install(lock: Path, pip: list[str]) -> None:
    env = _install_environment(pip)
    install = [*pip, "install", "-qq", "--require-hashes"]
    only_uv = VENV / "uv.txt"
    only_uv.write_text(pinned(lock.read_text(), "uv"))
    uv = [str(PYTHON), "-m", "uv", "pip", "sync", "--quiet", "--python", str(PYTHON)]
    steps = (
        [*install, "-r", str(only_uv)],
        [*uv, "--compile-bytecode", "--require-hashes", str(lock)],
    )
    if all(subprocess.run(step, env=env, check=False).returncode == 0 for step in steps):
        return
    say("uv could not do it, trying plain pip, which is slower")
    if subprocess.run([*install, "-r", str(lock)], env=env, check=False).returncode:
        shutil.rmtree(VENV / "uv.txt", ignore_errors=True)
        give_up("the packages could not be installed; the lines above say why. Is a package index reachable?")


def apart(lock: Path, folder: Path) -> Path:
    """Make an environment of its own with everything of one lock file. Returns its Python."""
    python = folder / "bin" / "python"
    uv = [str(PYTHON), "-m", "uv", "pip", "sync", "--quiet", "--python", str(python), "--require-hashes", str(lock)]
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    subprocess.run(uv, env=_install_environment([str(PYTHON), "-m", "pip"]), check=True)
    return python


def _install_environment(pip: list[str]) -> dict[str, str]:
    """Caches inside `.venv`, and pip's index for uv, which reads none of pip's settings."""
    env = os.environ | {
        "PIP_CACHE_DIR": str(CACHE / "pip"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "PIP_USER": "0",
        "UV_CACHE_DIR": str(CACHE / "uv"),
        "UV_NO_CONFIG": "1",
        "UV_PYTHON_DOWNLOADS": "never",
    }
    if Path(ssl.get_default_verify_paths().cafile or "/nowhere").exists():
        # The machine's own certificates, as a company's index may need; uv's are built in.
        env |= {"UV_SYSTEM_CERTS": "true", "UV_NATIVE_TLS": "true"}
    asked = subprocess.run([*pip, "config", "get", "global.index-url"], capture_output=True, text=True, check=False)
    index = os.environ.get("PIP_INDEX_URL") or (asked.stdout.strip() if asked.returncode == 0 else "")
    if index and "UV_DEFAULT_INDEX" not in env:
        env["UV_DEFAULT_INDEX"] = index
    return env

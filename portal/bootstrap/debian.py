"""Debian's packages: installed by root, or unpacked into `.venv/sys` by anyone, without changing the machine."""

import os
import pwd
import shutil
import subprocess
import sysconfig
from pathlib import Path

from portal.bootstrap.places import PREFIX, give_up, is_root, say

UNPACKED = PREFIX / "root"
FONTS = PREFIX / "fonts.conf"
# A second C library beside the one of the running loader ends every process.
NEVER_UNPACKED = {"libc6", "libc-bin"}
QUIET = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}


def fetch(packages: list[str]) -> bool:
    """Get packages with everything they need, for the machine as root, else for this checkout."""
    if not shutil.which("apt-get"):
        return False
    say(f"getting {' '.join(packages)} from Debian's archive")
    return (is_root() and _install(packages)) or _unpack(packages)


def pip_wheel() -> Path:
    """Debian's own pip, for a Python that came without ensurepip."""
    if not (wheels := _pip_wheels()) and shutil.which("apt-get") and _unpack(["python3-pip-whl"]):
        wheels = _pip_wheels()
    if not wheels:
        give_up("this Python has no ensurepip; on Debian and Ubuntu: apt-get install python3-venv")
    return wheels[0]


def _pip_wheels() -> list[Path]:
    folders = [root / "usr/share/python-wheels" for root in (Path("/"), UNPACKED)]
    return [wheel for folder in folders for wheel in folder.glob("pip-*.whl")]


def environment() -> dict[str, str]:
    """What a process needs to find the unpacked libraries and fonts; empty where nothing was unpacked."""
    if not (UNPACKED / "usr/lib").exists():
        return {}
    triplet = sysconfig.get_config_var("MULTIARCH") or "x86_64-linux-gnu"
    folders = [UNPACKED / part / triplet for part in ("usr/lib", "lib")]
    folders.append(UNPACKED / "usr/lib" / triplet / "pulseaudio")
    before = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    paths = [str(folder) for folder in folders if folder.is_dir()]
    merged = paths + [path for path in before if path and path not in paths]
    found = {"LD_LIBRARY_PATH": ":".join(merged)}
    return found | {"FONTCONFIG_FILE": str(FONTS)} if FONTS.exists() else found


def _install(packages: list[str]) -> bool:
    install = ["apt-get", "-qq", "install", "--yes", "--no-install-recommends", *packages]
    return _runs(["apt-get", "-qq", "update"]) and _runs(install)


def _unpack(packages: list[str]) -> bool:
    lists, archives = PREFIX / "lists", PREFIX / "cache" / "archives"
    for folder in (lists / "partial", archives / "partial", UNPACKED):
        folder.mkdir(parents=True, exist_ok=True)
    user = pwd.getpwuid(os.geteuid()).pw_name
    places = (f"Dir::State::Lists={lists}", f"Dir::Cache={archives.parent}", f"APT::Sandbox::User={user}")
    apt = ["apt-get", "-qq", "-o", "Debug::NoLocking=1", *(part for place in places for part in ("-o", place))]
    if not _runs([*apt, "update"]):
        return False
    planned = _output([*apt, "--simulate", "--no-install-recommends", "install", *packages])
    names = {line.split()[1] for line in planned.splitlines() if line.startswith("Inst ")} - NEVER_UNPACKED
    # A package that is installed on the machine is not in the plan; those asked for are wanted here all the same.
    if not _runs([*apt, "download", *sorted(names.union(packages))], cwd=archives):
        return False
    unpacked = all(_runs(["dpkg-deb", "--extract", str(deb), str(UNPACKED)]) for deb in archives.glob("*.deb"))
    shutil.rmtree(PREFIX / "cache")
    _write_font_settings()
    return unpacked


def _write_font_settings() -> None:
    """Fontconfig's usual settings are links that a package's set-up script makes, and none ran here."""
    available = UNPACKED / "usr/share/fontconfig/conf.avail"
    if not available.exists():
        return
    names = ("45-latin", "57-dejavu-sans", "57-dejavu-serif", "57-dejavu-sans-mono", "60-latin")
    includes = "".join(f'<include ignore_missing="yes">{available}/{name}.conf</include>' for name in names)
    folders = f"<dir>{UNPACKED}/usr/share/fonts</dir><dir>/usr/share/fonts</dir>"
    FONTS.write_text(
        '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">'
        f"<fontconfig>{folders}{includes}<cachedir>{PREFIX}/fontcache</cachedir></fontconfig>\n"
    )


def _runs(command: list[str], cwd: Path | None = None) -> bool:
    done = subprocess.run(command, env=os.environ | QUIET, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        say(f"{' '.join(command[:1])} failed: {(done.stderr or done.stdout).strip()[-600:]}")
    return done.returncode == 0


def _output(command: list[str]) -> str:
    done = subprocess.run(command, env=os.environ | QUIET, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""

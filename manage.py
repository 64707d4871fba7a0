#!/usr/bin/env python3
"""Entry to Lastgood: `demo` and `test` make what they need on first use, all else is a Django command."""

import sys

if sys.version_info < (3, 11):
    sys.exit(
        "Lastgood needs Python 3.11 or newer, this is Python %d.%d. Run it with a newer one, for example:\n"
        "    python3.11 manage.py %s" % (sys.version_info[0], sys.version_info[1], " ".join(sys.argv[1:]))
    )

import os

from portal import bootstrap

OF_PACKAGES = {"lock": bootstrap.refresh_locks, "audit": bootstrap.audit, "sbom": bootstrap.list_parts}


def main(argv: list[str]) -> int:
    """Enter the checkout's environment, then hand the command on."""
    command, rest = (argv[1] if len(argv) > 1 else "help"), argv[2:]
    if command in OF_PACKAGES:
        return OF_PACKAGES[command](rest)
    bootstrap.enter(command, rest)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    if command == "demo":
        from portal.demo import supervisor

        return supervisor.main(rest)
    if command == "test":
        from portal.testing import run

        return run.main(rest)
    from django.core.management import execute_from_command_line

    execute_from_command_line(argv)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))

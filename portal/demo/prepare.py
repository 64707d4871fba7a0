"""Database, runbook and demo people, in one process, so that Django starts only once for it."""

import sys

import django
from django.core.management import call_command


def main(users_file: str) -> None:
    """Migrate, then load what the demo shows; the seed leaves what is already there as it is."""
    django.setup()
    call_command("migrate", interactive=False, verbosity=1)
    call_command("seed_demo", users_file=users_file)
    # The worker reports itself with its first sweep, and a new beat would send that only after a whole interval.
    from incidents.tasks import sweep

    sweep.delay()


if __name__ == "__main__":
    main(sys.argv[1])

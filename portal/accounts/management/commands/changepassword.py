"""Set a person's password at the command line: that it was changed is on record, nothing else of it."""

from __future__ import annotations

import getpass
from typing import Any

from django.contrib.auth.management.commands import changepassword

from incidents import configuration
from portal.accounts.models import User


class Command(changepassword.Command):
    help = "Sets a person's password, as Django's own command does, and says in the global log that it was changed."

    def handle(self, *args: Any, **options: Any) -> str:
        said = str(super().handle(*args, **options))
        person = User.objects.get(email=options["username"] or getpass.getuser())
        configuration.page_of(User).record_change(person, {"password": "set"}, {"password": "changed"}, by=None)
        return said

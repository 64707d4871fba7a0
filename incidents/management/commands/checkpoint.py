"""Checkpoints by hand: `manage.py checkpoint sign`, `… accept REF --reason TEXT`, `… key [--rotate]`."""

from __future__ import annotations

import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from incidents.evidence import checkpoints, keys
from incidents.evidence.note import VerifierKey
from incidents.models import EvidenceChain

GLOBAL = "global"


class Command(BaseCommand):
    help = "Signs every log that grew; accepts a log after a restore; shows or rotates the signing key."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("sign", help="sign every log that grew, and compare all with what was signed before")
        accept = verbs.add_parser("accept", help="accept a log as it is, after a restore of the database")
        accept.add_argument("reference", help=f"an incident such as RB-2026-0007, or “{GLOBAL}”")
        accept.add_argument("--reason", required=True, help="what happened; it enters the log")
        key = verbs.add_parser("key", help="show the keys that checkpoints are verified with")
        key.add_argument("--rotate", action="store_true", help="make a new key; the old one stays known")

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        try:
            getattr(self, f"_{verb}")(**options)
        except (checkpoints.Uncertain, keys.NoKey) as error:
            raise CommandError(str(error)) from error

    def _sign(self, **_: Any) -> None:
        if faults := checkpoints.sign_all("by hand"):
            raise CommandError(" ".join(faults))
        self.stdout.write(f"Every log is signed; {EvidenceChain.objects.count()} hold what was signed of them.")

    def _accept(self, reference: str, reason: str, **_: Any) -> None:
        named = {"incident": None, "custody_of": None} if reference == GLOBAL else {"incident__reference": reference}
        chain = EvidenceChain.objects.select_related("incident").filter(**named).first()
        if chain is None or not reason.strip():
            raise CommandError(f"There is no evidence log of “{reference}”." if chain is None else "Say what happened.")
        checkpoints.accept(chain, reason.strip(), by=getpass.getuser())
        self.stdout.write(f"The {chain} is accepted at entry {chain.seq} and signed anew.")

    def _key(self, rotate: bool, **_: Any) -> None:
        if rotate:
            old, _new = keys.rotate()
            checkpoints.announce_key()
            self.stdout.write(f"No longer used: {old}")
        for key in _known():
            self.stdout.write(str(key))


def _known() -> list[VerifierKey]:
    return keys.verifiers() or [keys.signer().verifier]

"""Verify the evidence log: `manage.py verify_evidence [REF]`, exit 0 when it holds and 1 when it is broken."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import QuerySet

from incidents.evidence import log
from incidents.models import EvidenceChain

GLOBAL = "global"
BROKEN = 1
NO_SUCH_LOG = 64


class Command(BaseCommand):
    help = "Checks that the stored evidence is what was written, of one incident or of all."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "reference", nargs="?", help=f"an incident such as RB-2026-0007, or “{GLOBAL}”; all without"
        )

    def handle(self, *args: Any, reference: str | None = None, **options: Any) -> None:
        found = [self._holds(chain) for chain in _chains(reference)]
        if not all(found):
            sys.exit(BROKEN)

    def _holds(self, chain: EvidenceChain) -> bool:
        verdict = log.verify(chain)
        name = chain.incident.reference if chain.incident else GLOBAL
        if verdict.is_intact:
            self.stdout.write(f"{name}: intact, {verdict.count} entries, head {verdict.head}")
        else:
            self.stdout.write(f"{name}: broken at entry {verdict.broken_at}. {verdict.reason}")
        return verdict.is_intact


def _chains(reference: str | None) -> QuerySet[EvidenceChain]:
    chains = EvidenceChain.objects.select_related("incident").order_by("incident__reference")
    if reference is None:
        return chains
    named = chains.filter(incident=None) if reference == GLOBAL else chains.filter(incident__reference=reference)
    if not named:
        raise CommandError(f"There is no evidence log of “{reference}”.", returncode=NO_SUCH_LOG)
    return named

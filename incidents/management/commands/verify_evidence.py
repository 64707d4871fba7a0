"""Verify the evidence: `manage.py verify_evidence [REF] [--checkpoint FILE]…`.

Exits 0 when everything holds, 1 when a log is broken or incomplete, 2 when it was truncated or rewritten since a
checkpoint, 3 when a checkpoint's signature does not fit, 64 when it was asked for something that is not there.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Q, QuerySet

from incidents.evidence import checkpoints, completeness, keys, letters, log, verify
from incidents.evidence.note import NotANote, Statement, VerifierKey
from incidents.models import EvidenceChain

GLOBAL = "global"
USAGE = 64
# Where several logs differ, the worst is told: broken before truncated before a bad signature.
_WORST = (verify.BROKEN, verify.TRUNCATED, verify.BAD_SIGNATURE, verify.HOLDS)


class Command(BaseCommand):
    help = "Checks that the stored evidence is what was written, and what checkpoints said of it."
    # Whether the portal is set up well is another question, and takes as long as half a million entries.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "reference", nargs="?", help=f"an incident such as RB-2026-0007, or “{GLOBAL}”; all without"
        )
        parser.add_argument(
            "--checkpoint",
            action="append",
            default=[],
            metavar="FILE",
            help="a checkpoint that somebody kept, or a mail that carries one; may be given several times",
        )
        parser.add_argument(
            "--log-only", action="store_true", help="leave out whether every row of the tables is explained by an entry"
        )
        parser.add_argument("--vkey", action="append", default=[], help="trust this key as well, such as name+hash+key")

    def handle(
        self, *args: Any, reference: str | None, checkpoint: list[str], vkey: list[str], log_only: bool, **options: Any
    ) -> None:
        trusted = [*keys.verifiers(), *(_key(text) for text in vkey)]
        notes = [_note(path) for path in checkpoint]
        chains = list(_chains(reference))
        spoken = _by_chain(notes)
        codes = [self._checked(chain, spoken.pop(str(chain.pk), []), trusted) for chain in chains]
        # A broken log explains nothing: what it says of the tables would only be noise.
        whole = [chain for chain, code in zip(chains, codes, strict=True) if code != verify.BROKEN]
        gaps = [] if log_only else [self._complete(chain) for chain in whole if not chain.custody_of]
        for chain_id, left in spoken.items():
            codes += [self._astray(chain_id, note, reference) for note in left]
        codes += [self._went_back(sentence) for sentence in checkpoints.went_back().values()]
        if worst := next(code for code in _WORST if code in {*codes, verify.HOLDS}) or max(gaps, default=verify.HOLDS):
            sys.exit(worst)

    def _checked(self, chain: EvidenceChain, notes: list[str], trusted: list[VerifierKey]) -> int:
        finding = log.check(chain, notes, trusted) if notes else log.check_on_all_cores(chain)
        name = _name(chain)
        if finding.verdict.is_intact:
            self.stdout.write(f"{name}: intact, {finding.verdict.count} entries, head {finding.verdict.head}")
        else:
            self.stdout.write(f"{name}: broken at entry {finding.verdict.broken_at}. {finding.verdict.reason}")
        for sentence in [*(found.sentence for found in finding.compared), *finding.unsigned]:
            self.stdout.write(f"{name}: {sentence}")
        return finding.code

    def _complete(self, chain: EvidenceChain) -> int:
        """Whether the tables hold what the log says, and nothing else."""
        gaps = completeness.check(chain.incident) if chain.incident else completeness.check_configuration()
        for gap in gaps:
            self.stdout.write(f"{_name(chain)}: {gap.sentence}")
        return verify.BROKEN if gaps else verify.HOLDS

    def _astray(self, chain_id: str, note: str, reference: str | None) -> int:
        if not chain_id:
            self.stdout.write("A file given with --checkpoint holds no checkpoint.")
            return verify.BAD_SIGNATURE
        if reference is None:
            self.stdout.write(f"The log {chain_id}, of which a checkpoint was given, is gone.")
        else:
            self.stdout.write(f"A checkpoint was given that speaks of another log, {chain_id}.")
        return verify.TRUNCATED

    def _went_back(self, sentence: str) -> int:
        self.stdout.write(sentence)
        return verify.TRUNCATED


def _chains(reference: str | None) -> QuerySet[EvidenceChain]:
    chains = EvidenceChain.objects.select_related("incident", "custody_of").order_by("incident__reference")
    if reference is None:
        return chains
    named = Q(incident=None, custody_of=None) if reference == GLOBAL else Q(incident__reference=reference)
    found = chains.filter(named | Q(custody_of__reference=reference))
    if not found:
        raise CommandError(f"There is no evidence log of “{reference}”.", returncode=USAGE)
    return found


def _name(chain: EvidenceChain) -> str:
    if chain.custody_of:
        return f"{chain.custody_of.reference} custody"
    return chain.incident.reference if chain.incident else GLOBAL


def _note(path: str) -> str:
    try:
        return letters.checkpoint_in(Path(path).read_bytes())
    except OSError as error:
        raise CommandError(f"“{path}” cannot be read: {error.strerror}.", returncode=USAGE) from error


def _key(text: str) -> VerifierKey:
    try:
        return VerifierKey.read(text)
    except NotANote as error:
        raise CommandError(str(error), returncode=USAGE) from error


def _by_chain(notes: list[str]) -> dict[str, list[str]]:
    """The notes by the UUID of the chain that they speak of; those that speak of none under ""."""
    found: dict[str, list[str]] = {}
    for note in notes:
        try:
            chain_id = Statement.read(note.partition("\n\n")[0]).chain
        except NotANote:
            chain_id = ""
        found.setdefault(chain_id, []).append(note)
    return found

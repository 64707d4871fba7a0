"""Whether the log explains every row and every row is what the log says: nothing beside it, nothing taken away.

`EvidenceChain` verifies says that no entry was changed. This says that nothing was done past the log: a row that no
entry explains, an entry whose row is gone, a state that is not what the last entry says. Each table has a rule that
says how its rows are named and which entries explain them; `EXEMPT` names the tables that have none, and why.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

import orjson
from django.db import transaction
from django.db.models import Model

from incidents.evidence import log
from incidents.evidence.completeness import configured, declared, delivered, shown, work
from incidents.evidence.completeness.account import Account, Entry, Gap, Rule
from incidents.models import (
    CallbackReceipt,
    DispatchStop,
    EvidenceChain,
    EvidenceEntry,
    Incident,
    IncidentUserObjectPermission,
    Rehearsal,
    Suggestion,
    TargetFence,
    WorkerBeat,
)
from incidents.terms import Kind

__all__ = ["EXEMPT", "RULES", "Account", "Entry", "Gap", "Rule", "check", "check_configuration", "covered", "exempt"]

# The rules of an incident's log; other apps add theirs when they are ready.
RULES: list[Rule] = [*declared.RULES, *work.RULES, *shown.RULES, *delivered.RULES]
EXEMPT: dict[type[Model], str] = {
    EvidenceEntry: "It is the log itself, which verify_evidence verifies.",
    IncidentUserObjectPermission: "Derived from memberships, roster and owners; reconcile_permissions compares them.",
    CallbackReceipt: "So that a message counts once; what it changed stands in its attempt's entries.",
    DispatchStop: "Its beginning and its end are entries of the global log.",
    Rehearsal: "Nothing is changed by it; what it showed is an entry.",
    Suggestion: "What others saw; that one was declared or dismissed is an entry.",
    TargetFence: "A counter that only grows; what it gave out stands in each attempt's entry.",
    WorkerBeat: "A sign of life, no act.",
}


def register(*rules: Rule) -> None:
    """Add the rules of another app's tables to those of an incident."""
    RULES.extend(rule for rule in rules if rule not in RULES)


def exempt(model: type[Model], why: str) -> None:
    """Name a table that needs no rule, and why."""
    EXEMPT[model] = why


def covered() -> set[type[Model]]:
    """The tables that a rule looks at."""
    return {rule.model for rule in RULES} | configured.covered()


def check(incident: Incident) -> list[Gap]:
    """Where the rows of an incident and its log disagree; empty when each explains the other."""
    return _check(EvidenceChain.objects.get(incident=incident), RULES, incident)


def check_configuration() -> list[Gap]:
    """The same for the global log: configuration, and which incidents, logs and checkpoints there are."""
    return _check(log.global_chain(), configured.rules(), None)


def _check(chain: EvidenceChain, rules: Iterable[Rule], incident: Incident | None) -> list[Gap]:
    """Rows and entries as they stand at one moment: whoever writes waits for the head until this is done."""
    with transaction.atomic():
        log.lock_head(EvidenceChain.objects.filter(pk=chain.pk)).get()
        accounts = [(rule, Account()) for rule in rules]
        found = list(_read(accounts, _entries(chain, incident)))
        for rule, account in accounts:
            found += rule.gaps(account, incident)
    return found


def _read(accounts: list[tuple[Rule, Account]], entries: Iterable[Entry]) -> Iterator[Gap]:
    listening = defaultdict(list)
    for rule, account in accounts:
        for kind in Kind if rule.always else rule.says:
            listening[kind].append((rule, account))
    for entry in entries:
        yield from filter(None, (rule.read(account, entry) for rule, account in listening[entry.kind]))


def _entries(chain: EvidenceChain, incident: Incident | None) -> Iterator[Entry]:
    """From the hashed text, so that what is compared is what was hashed."""
    apart = {(seq, path): value for seq, path, value in chain.private_values.values_list("seq", "path", "value")}
    rows = chain.entries.order_by("seq").values_list("seq", "at", "canonical")
    for seq, at, canonical in rows.iterator(chunk_size=2000):
        told = orjson.loads(canonical)
        commits = told["commits"]
        personal = {row["path"]: apart.get((seq, row["path"])) for row in commits}
        yield Entry(seq, at, Kind(told["kind"]), told["actor"], told["body"], commits, personal, incident)

"""Signing what a chain holds, once it is found to continue what was signed before.

Whoever keeps a checkpoint is a witness: every update carries one, so each inbox can show what was cut or rewritten
later. A chain that does not continue its last checkpoint is not signed again; an alarm says so until a person decides.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable

import structlog
from django.db import transaction
from django.db.models import Exists, OuterRef

from incidents import clock
from incidents.evidence import chain as arithmetic
from incidents.evidence import keys, log, verify, witness
from incidents.evidence.merkle import Tree
from incidents.evidence.note import Statement
from incidents.models.evidence import Checkpoint, EvidenceChain
from incidents.models.incident import Incident
from incidents.terms import Kind

EVERY = 256
# Up to this many entries a chain is walked whole before each signature; a longer one from its last checkpoint on, and
# whole when `thorough`.
_WHOLE = 20_000
_events = structlog.get_logger()


class Uncertain(Exception):
    """The chain does not continue what was signed before: nothing is signed, and an alarm was raised."""


def origin(chain: EvidenceChain) -> str:
    return f"{keys.signer().name}/rollback/{chain.pk}"


def sign(chain: EvidenceChain, reason: str, *, thorough: bool = False) -> Checkpoint | None:
    """Sign what a chain holds now; None while it is empty. A size that was signed already is not signed twice.

    The checkpoint leaves the database when the transaction commits, not before.

    Raises:
        Uncertain: the chain is broken, or went back behind its last checkpoint.
        keys.NoKey: there is no key to sign with.
    """
    with transaction.atomic():
        head = EvidenceChain.objects.get(pk=chain.pk)
        if not head.seq:
            return None
        last = head.checkpoints.order_by("size").last()
        tree = _grown(head, last, thorough=thorough)
        if last and last.size == head.seq:
            return last
        return _signed(head, tree, reason)


def _grown(head: EvidenceChain, last: Checkpoint | None, *, thorough: bool) -> Tree:
    """The tree over all entries, after the check that it continues what was signed."""
    try:
        kept = witness.last(head.pk)
    except witness.Unreadable as error:
        raise _uncertain(head, str(error)) from error
    known = [statement for statement in (kept, _statement(last) if last else None) if statement]
    whole = thorough or last is None or head.seq <= _WHOLE or bool(kept and kept.size != last.size)
    tree = _walked_whole(head, known) if whole or last is None else _walked_on(head, last, known)
    if tree.size != head.seq:
        raise _uncertain(head, f"The log's head names entry {head.seq}, but {tree.size} are there.")
    return tree


def _walked_whole(head: EvidenceChain, known: list[Statement]) -> Tree:
    lines = log.lines(head, until=head.seq)
    found = verify.check(str(head.pk), lines, known=known, with_tree=True)
    for fault in _faults(found):
        raise _uncertain(head, fault)
    if found.verdict.head != head.hash:
        raise _uncertain(head, f"Entry {head.seq} is not the one that the log's head names.")
    return found.tree


def _walked_on(head: EvidenceChain, last: Checkpoint, known: list[Statement]) -> Tree:
    """From the last checkpoint: its tree must be the signed one, and the next entries must follow its last."""
    tree = Tree.stored(last.size, bytes(last.frontier))
    if any(tree.root() != statement.root or last.head != statement.head for statement in known):
        raise _uncertain(head, f"The checkpoint of {last.size} entries is not the one that was signed.")
    before = last.head
    for line in log.lines(head, after=last.size, until=head.seq):
        if fault := arithmetic.fault(line, tree.size + 1, before):
            raise _uncertain(head, fault)
        tree.append(bytes.fromhex(line.hash))
        before = line.hash
    if before != head.hash:
        raise _uncertain(head, f"Entry {tree.size} is not the one that the log's head names.")
    return tree


def _faults(found: verify.Finding) -> Iterable[str]:
    if not found.verdict.is_intact:
        yield found.verdict.reason
    for one in found.compared:
        if one.match != verify.Match.HOLDS:
            yield one.sentence


def _statement(row: Checkpoint) -> Statement:
    return Statement(f"/{row.chain_id}", row.size, bytes.fromhex(row.root), row.head)


def _signed(head: EvidenceChain, tree: Tree, reason: str) -> Checkpoint:
    announce_key()
    statement = Statement(origin(head), tree.size, tree.root(), head.hash)
    note = keys.signer().signed(statement.text)
    found, is_new = Checkpoint.objects.get_or_create(
        chain=head,
        size=tree.size,
        defaults={
            "head": head.hash,
            "root": tree.root().hex(),
            "frontier": tree.packed(),
            "note": note,
            "reason": reason,
            "signed_at": clock.now(),
        },
    )
    if is_new and (head.incident_id or head.custody_of_id):
        log.append_globally(
            Kind.CHECKPOINT_SIGNED,
            actor=log.SYSTEM_ACTOR,
            sentence=f"Checkpoint of {head} signed at entry {tree.size}: {reason}",
            chain=str(head.pk),
            size=tree.size,
            root=found.root,
            head=found.head,
        )
    transaction.on_commit(lambda: witness.keep(head.pk, found.note), robust=True)
    return found


def announce_key() -> None:
    """The global log names each key before the first thing that it signs."""
    key = str(keys.signer().verifier)
    known = log.global_chain().entries.filter(kind=Kind.KEY_MADE, body__key=key)
    if not known.exists():
        log.append_globally(Kind.KEY_MADE, actor=log.SYSTEM_ACTOR, sentence="Signing key made", key=key)


def _uncertain(chain: EvidenceChain, fault: str) -> Uncertain:
    """Raise the alarm, once a fault, outside the transaction that found it."""
    sentence = f"The evidence of {chain.incident or chain.custody_of or 'the configuration'} is uncertain: {fault}"
    if witness.alarm(chain.pk, sentence):
        _events.error("evidence.uncertain", chain=str(chain.pk), fault=fault)
    return Uncertain(sentence)


def latest(incident: Incident) -> Checkpoint | None:
    return Checkpoint.objects.filter(chain__incident=incident).order_by("size").last()


# What runs by itself ------------------------------------------------------------------------------------------------


def sign_all(reason: str = "hourly", *, thorough: bool = True) -> list[str]:
    """Sign every chain that grew since its last checkpoint, and compare what was signed with what is there.

    Returns:
        A sentence for each chain that is uncertain.
    """
    faults = went_back()
    signed = Checkpoint.objects.filter(chain=OuterRef("pk"), size=OuterRef("seq"))
    grown = EvidenceChain.objects.filter(~Exists(signed), seq__gt=0).exclude(pk__in=faults)
    # The global log last: it names what was signed of the others.
    for chain in grown.order_by("incident", "custody_of"):
        try:
            sign(chain, reason, thorough=thorough)
        except Uncertain as error:
            faults[chain.pk] = str(error)
    record_alarms()
    return list(faults.values())


def went_back() -> dict[uuid.UUID, str]:
    """Chains that hold less than was signed of them: an older database was restored, or entries are gone."""
    signed = witness.chains()
    heads = EvidenceChain.objects.select_related("incident", "custody_of").in_bulk(signed)
    faults = {chain_id: _fell_behind(chain_id, heads.get(chain_id)) for chain_id in signed}
    found = {chain_id: f"{fault} Was an older database restored?" for chain_id, fault in faults.items() if fault}
    for chain_id, sentence in found.items():
        if witness.alarm(chain_id, sentence):
            _events.error("evidence.went_back", chain=str(chain_id), fault=sentence)
    return found


def _fell_behind(chain_id: uuid.UUID, chain: EvidenceChain | None) -> str:
    try:
        kept = witness.last(chain_id)
    except witness.Unreadable as error:
        return str(error)
    if kept and chain is None:
        return f"The log {chain_id} is gone; {kept.size} entries of it were signed."
    if kept and chain and chain.seq < kept.size:
        return f"Of the {chain}, {kept.size} entries were signed and only {chain.seq} are there."
    return ""


def record_alarms() -> None:
    """Put each alarm into the global log, once."""
    for chain_id, sentence in witness.alarms().items():
        known = log.global_chain().entries.filter(
            kind=Kind.EVIDENCE_UNCERTAIN, body__chain=str(chain_id), body__sentence=sentence
        )
        if not known.exists():
            log.append_globally(Kind.EVIDENCE_UNCERTAIN, actor=log.SYSTEM_ACTOR, sentence=sentence, chain=str(chain_id))


def accept(chain: EvidenceChain, reason: str, by: str) -> Checkpoint | None:
    """A person says that a log is right as it is, after a restore: signing begins anew from what is there.

    Args:
        by: who decided, as the operating system knows them; nobody can sign in while the log is in doubt.

    Raises:
        Uncertain: the database contradicts itself; no restore does that, and it is not accepted.
    """
    with transaction.atomic():
        kept = witness.last_or_none(chain.pk)
        _walked_whole(EvidenceChain.objects.get(pk=chain.pk), [_statement(row) for row in chain.checkpoints.all()])
        log.append_globally(
            Kind.EVIDENCE_UNCERTAIN,
            actor=log.SYSTEM_ACTOR,
            sentence=f"The {chain} is accepted as it is: {reason}",
            chain=str(chain.pk),
            accepted_by=by,
            reason=reason,
            size=chain.seq,
            signed_before=kept.size if kept else None,
        )
        witness.set_aside(chain.pk)
        witness.quiet(chain.pk)
        return sign(chain, "accepted")

"""Reading the facts of an incident, in a constant number of queries."""

from __future__ import annotations

from django.conf import settings

from comms.facts import delivered, rows, work
from comms.facts.values import ChainFact, Facts, LevelFact, StandDownFact
from comms.models import Notice
from incidents import board, clock, lifecycle
from incidents.board import TimelineRow
from incidents.evidence import log
from incidents.models import EvidenceChain, Incident
from incidents.steps import unfreeze
from incidents.terms import Kind, Phase

READ_WITH = ("product", "runbook", "declared_by")


def facts_of(incident: Incident, *, timeline_rows: int = 0) -> Facts:
    """What is known of an incident now.

    Args:
        timeline_rows: how many entries of the log to read along, oldest first; mails need none.
    """
    incident = board.load(Incident.objects.select_related(*READ_WITH).get(pk=incident.pk))
    book, chosen = incident.book, rows.current_target(incident)
    roles = rows.roles(incident)
    review = delivered.review(incident)
    phase = Phase(incident.phase)
    return Facts(
        reference=incident.reference,
        url=settings.PUBLIC_URL + incident.get_absolute_url(),
        product=incident.product.name,
        drill=incident.drill,
        phase=phase.value,
        phase_word=str(phase.label),
        summary=incident.summary,
        read_at=clock.now(),
        declared_at=incident.declared_at,
        declared_by=str(incident.declared_by),
        ended_at=incident.ended_at,
        stood_down=_stood_down(incident),
        changed_at=incident.changed_at,
        level=LevelFact(
            incident.level.value,
            incident.level_text.name,
            incident.level_text.scope,
            incident.level_text.typical_use,
        ),
        trigger=book.trigger(incident.trigger).name,
        trigger_text=book.trigger(incident.trigger).text,
        commander=roles[0].holder,
        roles=roles,
        frozen_since=incident.freeze.since,
        frozen_until=incident.freeze.ended_at,
        measures=rows.measures(incident),
        exceptions=rows.exceptions(incident),
        target=rows.target(incident, chosen) if chosen else None,
        replaced_targets=tuple(rows.target(incident, row) for row in incident.targets.all() if row.replaced_at),
        tracks=work.tracks(incident),
        cleanup=work.cleanup(incident),
        gates=work.gates(incident),
        preconditions=rows.preconditions(incident),
        stages=rows.stages(incident),
        owners=rows.owners(incident),
        next_update_at=None if phase in lifecycle.ENDED else unfreeze.next_update_due(incident),
        notices=delivered.notices(Notice.objects.filter(incident=incident).issued().with_copies()),
        review=review,
        review_owner=delivered.review_owner(review, roles),
        follow_ups=delivered.follow_ups(incident),
        safeguards=delivered.safeguards(incident),
        deliverables=delivered.deliverables(incident),
        book=book,
        runbook_number=incident.runbook.number,
        runbook_sha256=incident.runbook_sha256,
        chain=_chain(incident),
        timeline=oldest_first(incident, timeline_rows),
    )


def _stood_down(incident: Incident) -> StandDownFact | None:
    if incident.phase != Phase.STOOD_DOWN:
        return None
    entry = log.entries_of(incident, Kind.STOOD_DOWN).last()
    return StandDownFact(entry.body["reason"], entry.at)


def _chain(incident: Incident) -> ChainFact:
    head = EvidenceChain.objects.get(incident=incident)
    return ChainFact(str(head.pk), head.seq, head.hash, head.at)


def oldest_first(incident: Incident, limit: int) -> tuple[TimelineRow, ...]:
    """The first entries of the log, oldest first."""
    if not limit:
        return ()
    return tuple(reversed(board.timeline(incident, limit=limit, before=limit + 1)))

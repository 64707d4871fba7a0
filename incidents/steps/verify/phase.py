"""Into verification and back, and the gates that the declaration laid out."""

from __future__ import annotations

from typing import Any

from incidents.models import Gate, Incident, Wiring
from incidents.steps import cleanup, rollback
from incidents.steps.base import step
from incidents.terms import Act, Kind, Phase


def lay_out(incident: Incident) -> None:
    """Put the runbook's gates into the incident. Part of the declare transaction."""
    wiring = {row.key: row for row in Wiring.objects.filter(product=incident.product).select_related("connector")}
    Gate.objects.bulk_create(
        Gate(
            incident=incident,
            key=text.key,
            name=text.name,
            owner=text.owner,
            allows_baseline_blocker=text.allows_baseline_blocker,
            connector=wiring[text.key].connector if text.key in wiring else None,
            arguments=wiring[text.key].arguments if text.key in wiring else {},
        )
        for text in incident.book.gates
    )


def begin_blockers(incident: Incident) -> list[str]:
    """The technical rollback comes first: open actions and cleanup, one sentence each."""
    found = [f"“{action}” is {action.get_state_display().lower()}." for action in rollback.open_actions(incident)]
    return found + cleanup.blockers(incident)


def begin(incident: Incident, *, by: Any) -> None:
    """The commander says the technical rollback is complete and the gates are due."""
    with step(incident, Act.BEGIN_VERIFICATION, by=by) as taken:
        taken.refuse_if(begin_blockers(taken.incident))
        taken.move_to(Phase.VERIFYING)
        taken.record(Kind.VERIFICATION_BEGUN, "Verification begun")


def reopen_rollback(incident: Incident, *, by: Any, reason: str) -> None:
    """Go back to rolling back: something was not right after all."""
    with step(incident, Act.REOPEN_ROLLBACK, by=by) as taken:
        reason = taken.said(reason)
        taken.move_to(Phase.ROLLING_BACK)
        taken.record(Kind.ROLLBACK_REOPENED, f"Back to rolling back: {reason}", reason=reason)

"""That nobody knows whether an action happened: what its owner and the commander read of it, wherever they are."""

from __future__ import annotations

from incidents import clock
from incidents.connectors import values
from incidents.models import Attempt, EvidenceEntry, Incident
from incidents.steps import attempts, roles
from incidents.terms import AttemptState, ConnectorKind, Role

# They are handed the attempt's id with each start.
TOLD_THE_ID = {ConnectorKind.WEBHOOK, ConnectorKind.COMMAND}


def stands(entry: EvidenceEntry) -> bool:
    """Whether nobody knows it yet: neither have two people decided, nor has the outside system named the end."""
    return _attempt(entry).state == AttemptState.UNKNOWN


def said(incident: Incident, entry: EvidenceEntry) -> dict[str, str]:
    attempt = _attempt(entry)
    action = attempt.action
    return {
        "action": str(action),
        "key": action.key,
        "why": str(entry.body["result"]).rstrip("."),
        "began_at": clock.utc_text(attempt.started_at or attempt.queued_at),
        "connector": str(action.connector or "none"),
        "target": attempt.target_key,
        "known_as": _known_as(attempt),
        "owner": ", ".join(_names(incident, Role(action.owner))) or "nobody",
        "role": str(Role(action.owner).label),
        "decidable_at": f"{attempts.decidable_at(attempt):%H:%M:%S} UTC",
        "asked_on": "yes" if attempt.poll_at else "",
    }


def people(incident: Incident, entry: EvidenceEntry) -> list[tuple[str, str]]:
    """The action's owner and the commander."""
    wanted = (Role.COMMANDER, _attempt(entry).action.owner)
    held = roles.current(incident).filter(role__in=wanted, user__is_active=True).order_by("role")
    return [(str(row.user), row.user.email) for row in held]


def _known_as(attempt: Attempt) -> str:
    """The attempt's id where the outside system was told it, else the name of its own; empty where there is neither."""
    connector = attempt.action.connector
    if connector and (connector.kind in TOLD_THE_ID or values.echoes(connector.config)):
        return str(attempt.pk)
    return attempt.remote_ref


def _names(incident: Incident, role: Role) -> list[str]:
    return [str(row.user) for row in roles.current(incident).filter(role=role)]


def _attempt(entry: EvidenceEntry) -> Attempt:
    return Attempt.objects.select_related("action__connector").get(pk=entry.body["attempt"])

"""What this app does when an entry was recorded: it rings the bell for work that waits. A sweep repeats lost rings."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from incidents import tasks
from incidents.evidence import checkpoints
from incidents.evidence.signals import entry_recorded
from incidents.terms import AttemptState, GateOutcome, Kind

# What lets go of a target and of a connector, so that the next may start.
_FREEING = {Kind.ACTION_SUCCEEDED, Kind.ACTION_FAILED, Kind.ACTION_UNKNOWN, Kind.ACTION_CANCELLED, Kind.ACTION_RESOLVED}


@receiver(entry_recorded, dispatch_uid="incidents-ring")
def ring(kind: Kind, body: dict[str, Any], **_: Any) -> None:
    is_put_back = kind == Kind.ACTION_QUEUED and "wait_seconds" in body
    if kind == Kind.ACTION_QUEUED and not is_put_back:
        tasks.ring(tasks.run_attempt, body["attempt"])
    elif kind == Kind.GATE_QUEUED:
        tasks.ring(tasks.run_gate, body["run"])
    elif kind == Kind.ACTION_REHEARSED and body["state"] == AttemptState.QUEUED:
        tasks.ring(tasks.run_rehearsal, body["rehearsal"])
    elif (is_put_back or kind in _FREEING) and not body.get("by_hand"):
        tasks.ring_next(body["attempt"])


@receiver(entry_recorded, dispatch_uid="incidents-checkpoint")
def sign(incident_id: int, kind: Kind, body: dict[str, Any], seq: int, **_: Any) -> None:
    """Ask for a checkpoint where a rollback turns, and every so many entries."""
    if _turns(kind, body) or not seq % checkpoints.EVERY:
        tasks.ring(tasks.sign_checkpoint, incident_id)


def _turns(kind: Kind, body: dict[str, Any]) -> bool:
    passed = kind == Kind.GATE_RECORDED and body.get("outcome") == GateOutcome.PASS
    return passed or kind in {Kind.LIFTED, Kind.CLOSED, Kind.STOOD_DOWN}

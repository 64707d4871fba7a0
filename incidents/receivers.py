"""What this app does when an entry was recorded: it rings the bell for work that waits. A sweep repeats lost rings."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from incidents import tasks
from incidents.evidence import checkpoints
from incidents.evidence.signals import entry_recorded
from incidents.terms import GateOutcome, Kind


@receiver(entry_recorded, dispatch_uid="incidents-ring")
def ring(kind: Kind, body: dict[str, Any], **_: Any) -> None:
    if kind == Kind.ACTION_QUEUED:
        tasks.ring(tasks.run_attempt, body["attempt"])
    elif kind == Kind.GATE_QUEUED:
        tasks.ring(tasks.run_gate, body["run"])


@receiver(entry_recorded, dispatch_uid="incidents-checkpoint")
def sign(incident_id: int, kind: Kind, body: dict[str, Any], seq: int, **_: Any) -> None:
    """Ask for a checkpoint where a rollback turns, and every so many entries."""
    if _turns(kind, body) or not seq % checkpoints.EVERY:
        tasks.ring(tasks.sign_checkpoint, incident_id)


def _turns(kind: Kind, body: dict[str, Any]) -> bool:
    passed = kind == Kind.GATE_RECORDED and body.get("outcome") == GateOutcome.PASS
    return passed or kind in {Kind.LIFTED, Kind.CLOSED, Kind.STOOD_DOWN}

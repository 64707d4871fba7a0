"""What this app does when an entry was recorded: it rings the bell for work that waits. A sweep repeats lost rings."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from incidents import tasks
from incidents.evidence.signals import entry_recorded
from incidents.terms import Kind


@receiver(entry_recorded, dispatch_uid="incidents-ring")
def ring(kind: Kind, body: dict[str, Any], **_: Any) -> None:
    if kind == Kind.ACTION_QUEUED:
        tasks.ring(tasks.run_attempt, body["attempt"])
    elif kind == Kind.GATE_QUEUED:
        tasks.ring(tasks.run_gate, body["run"])

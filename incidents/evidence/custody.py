"""Who took which evidence away, and when: one entry for each file that is handed out, in a log of its own.

A name of a file may speak of a person, so an entry names it by its hash.
"""

from __future__ import annotations

import hashlib
from typing import Any

from incidents.evidence import log
from incidents.models import Attachment, Checkpoint, EvidenceChain, Incident


def file(attachment: Attachment, *, by: Any) -> log.Place:
    """A file that was brought as evidence goes to somebody."""
    return log.append_custody(
        attachment.incident,
        by=by,
        sentence=f"File {attachment.sha256[:16]} handed out",
        what="attachment",
        attachment=attachment.pk,
        sha256=attachment.sha256,
        size=attachment.size,
    )


def whole_log(incident: Incident, *, by: Any) -> EvidenceChain:
    """The exported log goes to somebody. Returns its head: what is handed out ends with that entry."""
    head = EvidenceChain.objects.get(incident=incident)
    log.append_custody(
        incident,
        by=by,
        sentence=f"Evidence log up to entry {head.seq} handed out",
        what="log",
        entries=head.seq,
        head=head.hash,
    )
    return head


def checkpoint(incident: Incident, found: Checkpoint, *, by: Any) -> log.Place:
    """What was signed of the log goes to somebody."""
    return log.append_custody(
        incident,
        by=by,
        sentence=f"Checkpoint of {found.size} entries handed out",
        what="checkpoint",
        entries=found.size,
        head=found.head,
    )


def export(incident: Incident, content: bytes, *, what: str, by: Any) -> log.Place:
    """A text made of the incident goes to somebody.

    Args:
        what: which one, in a word or two, such as `review`.
    """
    return log.append_custody(
        incident,
        by=by,
        sentence=f"{what.capitalize()} handed out",
        what=what,
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
    )

"""Who took which evidence away, and when: one entry for each file that is handed out, in a log of its own.

A name of a file may speak of a person, so an entry names it by its hash.
"""

from __future__ import annotations

from typing import Any

from incidents.evidence import log
from incidents.models import Attachment, EvidenceChain, EvidenceEntry, Incident


def file(attachment: Attachment, *, by: Any) -> EvidenceEntry:
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

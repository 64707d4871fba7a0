"""Follow-ups for other tools: CSV for a spreadsheet, JSON lines that both dialects of beads import cleanly."""

from __future__ import annotations

import csv
import io
import unicodedata
from datetime import UTC, datetime
from typing import Any

import orjson
from django.conf import settings

from incidents.evidence import log
from incidents.models import FollowUp, Incident
from incidents.terms import Kind

COLUMNS = ("incident", "number", "title", "owner", "priority", "due_on", "acceptance", "bead_id")
# What a spreadsheet takes for the beginning of a formula, also in full width or small (OWASP, CSV injection), and
# what it may overlook before one: white space, controls, marks without width.
_FORMULA = frozenset("=+-@＝＋－＠﹦﹢﹣﹫−")
_OVERLOOKED = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})
_PRIORITY = {"P0": 0, "P1": 1, "P2": 2, "P3": 3}


def follow_ups_csv(incident: Incident) -> str:
    """RFC 4180, every cell quoted, none of them a formula."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in incident.follow_ups.all():
        cells = (incident.reference, row.number, row.title, row.owner, row.priority, row.due_on.isoformat())
        writer.writerow([cell(value) for value in (*cells, row.acceptance, row.bead_id)])
    return text.getvalue()


def cell(value: object) -> str:
    """The value as text; an apostrophe before what a spreadsheet would run."""
    text = str(value)
    first = next((char for char in text if unicodedata.category(char) not in _OVERLOOKED), "")
    return f"'{text}" if first in _FORMULA or text.startswith(("\t", "\r", "\n")) else text


def follow_ups_beads(incident: Incident) -> str:
    """One line a follow-up, under ids that stay: importing twice changes nothing."""
    corrected = _corrected(incident)
    rows = (_bead(incident, row, corrected.get(str(row.pk), row.added_at)) for row in incident.follow_ups.all())
    return "".join(orjson.dumps(row).decode() + "\n" for row in rows)


def _corrected(incident: Incident) -> dict[str, datetime]:
    """When each follow-up was last put right: an importer skips a line that is older than its own."""
    entries = log.entries_of(incident, Kind.CORRECTED).values_list("body", "at")
    return {body["id"]: at for body, at in entries if body["object"] == FollowUp._meta.model_name}


def _bead(incident: Incident, row: FollowUp, changed_at: datetime) -> dict[str, Any]:
    """The union line: what upstream's `bd import` reads, and beside it what Portarium's `bd.mjs` reads."""
    reference = f"{incident.reference}/follow-up-{row.number}"
    acceptance = row.acceptance.replace("\r\n", "\n")
    body = (
        f"Follow-up {row.number} of the rollback {incident.reference} ({incident.product}): {incident.summary}\n\n"
        f"AC:\n{acceptance}\n"
    )
    created, updated = _stamps(row.added_at), _stamps(changed_at)
    return {
        "id": row.bead_id or f"{incident.reference.lower()}-{row.number}",
        "title": row.title,
        "description": body,
        "body": body,
        "acceptance_criteria": acceptance,
        "status": "open",
        "priority": _PRIORITY[row.priority],
        "issue_type": "task",
        "phase": "governance",
        "owner": row.owner,
        "labels": ["incident", "rollback"],
        "created_at": created[0],
        "createdAt": created[1],
        "updated_at": updated[0],
        "updatedAt": updated[1],
        "due_at": f"{row.due_on.isoformat()}T00:00:00Z",
        "dependencies": [],
        "blockedBy": [],
        "external_ref": f"lastgood:{reference}",
        "source_system": "lastgood",
        "metadata": {
            "incidentId": incident.reference,
            "correlationId": incident.reference,
            "url": settings.PUBLIC_URL + incident.get_absolute_url(),
        },
    }


def _stamps(moment: datetime) -> tuple[str, str]:
    """RFC 3339 as upstream writes it, and with milliseconds as Portarium does."""
    moment = moment.astimezone(UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}", f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"

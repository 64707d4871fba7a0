"""Step 3d, evidence pipeline actions: a foreign evidence log is verified and kept, and what the incident affected is
marked for it. Nothing old is rewritten: a mark is one more entry, for the other system to append."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import IO, Any
from uuid import uuid4

from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile, UploadedFile
from django.db import transaction

from incidents import authority, clock, lifecycle, policy
from incidents.evidence import attachments, log
from incidents.evidence.foreign import DIALECTS, Dialect, Limits, Mode, Verdict, check, marking
from incidents.evidence.foreign.marking import Marking
from incidents.models import Attachment, EvidenceEntry, Exhibit, Incident
from incidents.steps.base import Denied, Refused, Taken, step, store
from incidents.steps.cleanup import attach_blockers, subject
from incidents.terms import Act, Kind, Phase, Role, Track

# What the shipped checklist asks for; where a runbook has other keys, the first that fits is offered.
OUTPUT, LINKS = subject("chain-output"), subject("incident-links")
MOST_AFFECTED = 1_000
_TOLD = 100
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")
_MODES = {Mode.WHOLE: "whole log", Mode.SEGMENT: "part of a log"}


@dataclass(frozen=True)
class Mark:
    """What a person says is affected, and in which log.

    Attributes:
        dialect, head, head_time: of the log as it ends now; the mark follows its last entry.
        source: the kept file in which hashes are looked up.
    """

    workspace: str
    correlation: str
    runs: tuple[str, ...]
    evidence: tuple[str, ...]
    dialect: Dialect
    head: str
    head_time: str = ""
    source: Attachment | None = None


def subjects(incident: Incident) -> list[tuple[str, str]]:
    """What a foreign log can be evidence for: the evidence lead's checklist, and the actions of the pipeline."""
    lead = Role.DATA_EVIDENCE_LEAD
    asked = [wanted for area in incident.book.cleanup if area.owner == lead for wanted in area.evidence]
    actions = [row for row in incident.actions.all() if row.owner == lead and row.track == Track.EVIDENCE]
    found = [(subject(wanted.key), wanted.name) for wanted in asked]
    return found + [(f"action:{row.key}", f"{row.track} {row.name}") for row in actions]


def offered(incident: Incident, wished: str) -> str:
    """The subject that a form starts with."""
    keys = [key for key, _ in subjects(incident)]
    return wished if wished in keys else next(iter(keys), "")


def checked(file: UploadedFile, mode: Mode, anchor: str) -> Verdict:
    """Check a log that a person brought. Raises `Unreadable` with a sentence."""
    file.seek(0)
    return check(file, mode, anchor, Limits(file_size=settings.UPLOAD_MAX_BYTES))


def keep(
    incident: Incident,
    file: UploadedFile,
    verdict: Verdict,
    *,
    on: str,
    by: Any,
    source: str = "",
    collected_at: datetime | None = None,
) -> EvidenceEntry:
    """Keep a foreign log and what its verification found, as evidence for what `on` names.

    Args:
        verdict: of exactly the bytes of `file`.
        source: where it was fetched from, at `collected_at`.
    """
    said = verdict.facts()
    again = {"sha256": verdict.sha256, "mode": said["mode"], "anchor": said["anchor"], "subject": on}
    _ask(incident, Act.VERIFY_FOREIGN, by, on)
    file.seek(0)
    received = attachments.receive(incident, file)
    with transaction.atomic():
        attachment = attachments.enter(incident, received, by)
        with step(incident, Act.VERIFY_FOREIGN, by=by) as taken:
            taken.refuse_repeat(Kind.FOREIGN_VERIFIED, **again)
            taken.refuse_if(_changed_meanwhile(attachment, verdict))
            exhibit = _exhibit(taken, on, attachment, _in_words(verdict), source=source, collected_at=collected_at)
            sentence = f"Foreign evidence log checked, {verdict.code.text.name.lower()}: {attachment}"
            files = [_filed(exhibit)]
            taken.record(Kind.FOREIGN_VERIFIED, sentence, **(said | again), source=source, files=files)
    return taken.entry


def mark(incident: Incident, asked: Mark, *, on: str, by: Any) -> EvidenceEntry:
    """Make what marks the affected runs and entries: a manifest, and the entry that the log's owner appends."""
    _ask(incident, Act.ANNOTATE_FOREIGN, by, on)
    marked = _marking(incident, asked)
    with transaction.atomic():
        listed = _stored(incident, "manifest.json", marking.manifest(marked), by)
        entry = marking.annotate(
            marked,
            evidence_id=f"evi-{uuid4()}",
            manifest_uri=f"{_address(incident)}files/{listed.sha256}/",
            manifest_sha256=listed.sha256,
        )
        appended = _stored(incident, "entry.jsonl", marking.line(entry), by)
        with step(incident, Act.ANNOTATE_FOREIGN, by=by) as taken:
            said = _facts(marked) | {"subject": on}
            taken.refuse_repeat(Kind.FOREIGN_ANNOTATED, **said)
            exhibits = [
                _exhibit(taken, on, appended, f"Entry to append to the log of {marked.workspace}: {marked.counts}"),
                _exhibit(taken, on, listed, f"Manifest that the entry names: {marked.counts}"),
            ]
            taken.record(
                Kind.FOREIGN_ANNOTATED,
                f"Affected runs marked for the log of {marked.workspace}: {marked.counts}",
                **said,
                evidence_id=entry["evidenceId"],
                hash=entry[marked.dialect.hash],
                manifest_sha256=listed.sha256,
                entry_sha256=appended.sha256,
                files=[_filed(exhibit) for exhibit in exhibits],
            )
    return taken.entry


# Rules --------------------------------------------------------------------------------------------------------------


def blockers(incident: Incident, on: str) -> list[str]:
    """Why nothing can be kept for this."""
    known = {key for key, _ in subjects(incident)}
    if on not in known:
        return attach_blockers(incident, on, Role.DATA_EVIDENCE_LEAD) or [f"“{on[:80]}” is not about evidence logs."]
    return []


def mark_faults(incident: Incident, asked: Mark) -> list[str]:
    """What is wrong with what was asked, before anything is looked up."""
    count = len(asked.runs) + len(asked.evidence)
    found = [] if count else ["Name at least one run or one entry that is affected."]
    if count > MOST_AFFECTED:
        found.append(f"A manifest names at most {MOST_AFFECTED:,} runs and entries: this has {count:,}.")
    if not asked.dialect.is_hash(asked.head):
        found.append("The last hash of the log is not one of this dialect: 64 hex digits.")
    draft = _draft(incident, asked, clock.now())
    return found + marking.faults(draft, draft.url)


def _ask(incident: Incident, act: Act, by: Any, on: str) -> None:
    """What the step asks again: bytes stay once written, so nothing is stored for an act that cannot follow."""
    if authority.can(by, act, incident) is None:
        raise Denied(f"{act.label} is for the {policy.who_may(act)} of this incident.")
    if refusal := lifecycle.refusal(act, Phase(incident.phase)):
        raise Refused(refusal)
    if found := blockers(incident, on):
        raise Refused(*found)


def _changed_meanwhile(attachment: Attachment, verdict: Verdict) -> list[str]:
    return [] if attachment.sha256 == verdict.sha256 else ["The file changed while it was read. Bring it again."]


# What is kept -------------------------------------------------------------------------------------------------------


def kept(incident: Incident) -> list[EvidenceEntry]:
    """The foreign logs that were kept, newest first."""
    return list(log.entries_of(incident, Kind.FOREIGN_VERIFIED).defer("canonical").order_by("-seq"))


def marks(incident: Incident) -> list[EvidenceEntry]:
    """What was marked, newest first."""
    return list(log.entries_of(incident, Kind.FOREIGN_ANNOTATED).defer("canonical").order_by("-seq"))


def files_of(incident: Incident, entry: EvidenceEntry) -> list[Attachment]:
    """The log that an entry speaks of; of a mark, the entry to append and the manifest."""
    found = incident.attachments.in_bulk([row["attachment"] for row in entry.body["files"]])
    return [found[row["attachment"]] for row in entry.body["files"]]


def mark_of(
    incident: Incident,
    kept_log: EvidenceEntry | None,
    *,
    workspace: str,
    correlation: str,
    dialect: Dialect,
    head: str,
    runs: Iterable[str],
    evidence: Iterable[str],
) -> Mark:
    """What is asked for, with what a kept log knows: where the hashes are, and how late its last entry is."""
    head = dialect.prefix + head.lower().removeprefix("sha256:")
    return Mark(
        workspace=workspace,
        correlation=correlation,
        runs=unique(runs),
        evidence=unique(evidence),
        dialect=dialect,
        head=head,
        head_time=kept_log.body["head_time"] if kept_log and kept_log.body["head"] == head else "",
        source=files_of(incident, kept_log)[0] if kept_log else None,
    )


def opened(attachment: Attachment) -> IO[bytes]:
    """A kept log, open for reading.

    Raises:
        Refused: its bytes are gone or are not those that were kept.
    """
    try:
        return attachments.open(attachment)
    except attachments.Damaged as damage:
        raise Refused(str(damage)) from damage


def _exhibit(taken: Taken, on: str, attachment: Attachment, words: str, **origin: Any) -> Exhibit:
    return store(
        Exhibit(
            incident=taken.incident,
            subject=on,
            text=words,
            attachment=attachment,
            by=taken.by,
            added_at=taken.at,
            **origin,
        )
    )


def _filed(exhibit: Exhibit) -> dict[str, Any]:
    """What the log says of one file and of the evidence that it is."""
    attachment = exhibit.attachment
    assert attachment  # noqa: S101 - every exhibit of this step has one
    return {
        "exhibit": exhibit.pk,
        "subject": exhibit.subject,
        "text": exhibit.text,
        "link": exhibit.link,
        "source": exhibit.source,
        **({"collected_at": clock.stamp(exhibit.collected_at)} if exhibit.collected_at else {}),
        "attachment": attachment.pk,
        "sha256": attachment.sha256,
        "file": attachment.name,
        "size": attachment.size,
        "scan": attachment.scan,
    }


def _in_words(verdict: Verdict) -> str:
    """The verification output, as the checklist asks for it."""
    facts = [
        f"{verdict.code.text.name}. {verdict.sentence}",
        f"{verdict.entries:,} entries, {verdict.dialect.name}, checked as a {_MODES[verdict.mode]}.",
        f"Last hash: {verdict.head}" if verdict.head else "",
        *(finding["sentence"] for finding in verdict.facts()["findings"]),
        *verdict.notes,
    ]
    return "\n".join(filter(None, facts))[:20_000]


def _marking(incident: Incident, asked: Mark) -> Marking:
    """What is marked, with the hashes that the kept log has for it."""
    if found := mark_faults(incident, asked):
        raise Refused(*found)
    draft = _draft(incident, asked, clock.now())
    if asked.source is None:
        return draft
    with opened(asked.source) as source:
        known = marking.known(source, asked.dialect, asked.runs, asked.evidence)
    return replace(draft, runs=known.runs, evidence=known.evidence, source_sha256=asked.source.sha256)


def _draft(incident: Incident, asked: Mark, at: datetime) -> Marking:
    return Marking(
        incident=incident.reference,
        url=_address(incident),
        # A log's times never run backwards, compared as text: neither does the mark.
        at=max(_as_javascript(at), asked.head_time if _TIME.fullmatch(asked.head_time) else ""),
        workspace=asked.workspace,
        correlation=asked.correlation,
        dialect=asked.dialect,
        before=asked.head,
        runs={run: {} for run in asked.runs},
        evidence=dict.fromkeys(asked.evidence, ""),
    )


def _facts(marked: Marking) -> dict[str, Any]:
    """What the log says of a mark; all of it stands in the manifest."""
    return {
        "says": f"{marked.counts} affected",
        "dialect": marked.dialect.key,
        "workspace": marked.workspace,
        "correlation": marked.correlation,
        "previous_hash": marked.before,
        "source_sha256": marked.source_sha256,
        "runs": sorted(marked.runs)[:_TOLD],
        "evidence": sorted(marked.evidence)[:_TOLD],
        "run_count": len(marked.runs),
        "entry_count": len(marked.evidence),
    }


def _as_javascript(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _address(incident: Incident) -> str:
    return f"{settings.PUBLIC_URL}{incident.get_absolute_url()}"


def _stored(incident: Incident, name: str, content: bytes, by: Any) -> Attachment:
    return attachments.store(incident, SimpleUploadedFile(f"{incident.reference}-{name}", content), by, made_here=True)


def dialect_of(entry: EvidenceEntry) -> Dialect:
    return DIALECTS[entry.body["dialect"]]


def unique(words: Iterable[str]) -> tuple[str, ...]:
    """Ids as they were written down: no blanks, none twice."""
    return tuple(dict.fromkeys(filter(None, (word.strip() for word in words))))

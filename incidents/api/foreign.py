"""Step 3d: foreign evidence logs, verified and kept as evidence, and the marks that are made for them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import orjson
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.files.uploadedfile import UploadedFile as DjangoUpload
from ninja import File, Form, Router, Status, UploadedFile
from pydantic import BaseModel, Field

from incidents import clock
from incidents.api.found import ApiRequest, Misnamed, authorise, incident_of
from incidents.api.shapes import Acted, AttachedFile, acted, attached
from incidents.api.strict import Flag, Given, Text, Whole
from incidents.connectors.evidence_log import NotFetched
from incidents.dispatch import fetch_evidence_log
from incidents.evidence.foreign import DIALECTS, Code, Mode, Unreadable, Verdict
from incidents.models import EvidenceEntry, Incident
from incidents.steps import foreign
from incidents.terms import Act

router = Router(tags=["evidence"])
Known = Annotated[Text, Field(max_length=80, pattern=r"^((sha256:)?[0-9a-fA-F]{64})?$")]
Identity = Annotated[Text, Field(min_length=1, max_length=200)]


class Checking(Given):
    """How a log is checked, and what it is evidence for."""

    mode: Mode = Field(Mode.WHOLE, description="`segment` for a part of a log.")
    anchor: Known = Field("", description="A hash that is known from elsewhere.")
    subject: Text = Field(
        "", max_length=80, description="What it is kept for: `cleanup:chain-output`, `action:3d-chain`."
    )


class Uploading(Checking):
    keep: bool = Field(True, description="With false the verdict is only answered: nothing is stored.")


class Fetching(Checking):
    url: Text = Field(min_length=1, max_length=2000, description="Every page is fetched, by limit and cursor.")
    token: Text = Field("", max_length=4000, description="Sent as bearer token, and kept nowhere.")
    keep: Flag = Field(True, description="With false the verdict is only answered: nothing is stored.")


class Counted(BaseModel):
    code: Code
    count: int


class Found(BaseModel):
    """One finding; of each kind the first are told."""

    code: Code
    sentence: str
    ids: list[str]


class RunFound(BaseModel):
    run: str
    entries: int


class ForeignVerdict(BaseModel):
    """What the check of a foreign log found."""

    verdict: Code
    says: str
    mode: Mode
    dialect: str
    shape: str
    sha256: str = Field(description="Of the bytes that were checked.")
    entries: int
    fragments: int = Field(description="How many unconnected pieces the entries make.")
    not_contained: int = Field(description="How many hashes are named as the one before, and are not in the file.")
    ends: int
    head: str
    head_id: str
    head_time: str
    anchor: str
    workspaces: list[str]
    runs: list[RunFound]
    found: list[Counted] = Field(description="How many findings of each kind.")
    findings: list[Found]
    notes: list[str]
    kept: Acted | None = Field(None, description="Null where nothing was kept; its `id` names the log for a mark.")


class Affected(Given):
    """What an incident affected in a foreign log."""

    workspace: Identity
    correlation: Text = Field("", max_length=200, description="The incident's reference where none is given.")
    runs: list[Identity] = Field(default=[], max_length=foreign.MOST_AFFECTED)
    evidence: list[Identity] = Field(default=[], max_length=foreign.MOST_AFFECTED, description="Evidence ids.")
    log: Whole | None = Field(None, description="A kept log, by the `id` of its check: hashes are looked up in it.")
    dialect: Text = Field("", max_length=40, description="Of the log; needed where no kept log is named.")
    head: Known = Field("", description="The hash of the log's last entry; needed where no kept log is named.")


class Marked(Acted):
    """What was made to mark it: the entry to append, and the manifest that it names."""

    entry: dict[str, Any]
    entry_file: AttachedFile
    manifest_file: AttachedFile


@router.post("/{ref}/foreign/verify", response={200: ForeignVerdict, 201: ForeignVerdict})
def verify_foreign(
    request: ApiRequest, ref: str, file: File[UploadedFile], asked: Form[Uploading]
) -> Status[ForeignVerdict]:
    """Check a foreign evidence log: a page with its items, an array, or JSON Lines; and keep it as evidence."""
    incident = incident_of(request, ref)
    _check_fields(request)
    authorise(request, Act.VERIFY_FOREIGN, incident)
    return _checked(request, incident, file, asked, keep=asked.keep, field="file")


@router.post("/{ref}/foreign/fetch", response={200: ForeignVerdict, 201: ForeignVerdict})
def fetch_foreign(request: ApiRequest, ref: str, body: Fetching) -> Status[ForeignVerdict]:
    """The same for a log that is fetched from an allowed host, page by page."""
    incident = incident_of(request, ref)
    authorise(request, Act.VERIFY_FOREIGN, incident)
    try:
        fetched = fetch_evidence_log(body.url, body.token)
    except NotFetched as problem:
        raise Misnamed("url", str(problem)) from problem
    file = SimpleUploadedFile("fetched-log.json", fetched.body)
    return _checked(
        request, incident, file, body, keep=body.keep, field="url", source=fetched.source, collected_at=clock.now()
    )


@router.post("/{ref}/foreign/annotate", response={201: Marked})
def annotate_foreign(request: ApiRequest, ref: str, body: Affected) -> Status[Marked]:
    """Make the manifest of what is affected, and the entry that the log's owner appends. Nothing old is rewritten."""
    incident = incident_of(request, ref)
    authorise(request, Act.ANNOTATE_FOREIGN, incident)
    subject = foreign.offered(incident, foreign.LINKS)
    entry = foreign.mark(incident, _mark(incident, body), on=subject, by=request.auth.user)
    return Status(201, _marked(incident, entry))


def _checked(
    request: ApiRequest,
    incident: Incident,
    file: DjangoUpload,
    asked: Checking,
    *,
    keep: bool,
    field: str,
    source: str = "",
    collected_at: datetime | None = None,
) -> Status[ForeignVerdict]:
    try:
        verdict = foreign.checked(file, asked.mode, asked.anchor)
    except Unreadable as problem:
        raise Misnamed(field, str(problem)) from problem
    if not keep:
        return Status(200, _answer(verdict, None))
    entry = foreign.keep(
        incident,
        file,
        verdict,
        on=asked.subject or foreign.offered(incident, foreign.OUTPUT),
        by=request.auth.user,
        source=source,
        collected_at=collected_at,
    )
    return Status(201, _answer(verdict, acted(incident, entry.seq)))


def _answer(verdict: Verdict, kept: Acted | None) -> ForeignVerdict:
    return ForeignVerdict(**verdict.facts(), sha256=verdict.sha256, kept=kept)


def _mark(incident: Incident, body: Affected) -> foreign.Mark:
    log = _log(incident, body.log) if body.log is not None else None
    key = body.dialect or (log.body["dialect"] if log else "")
    if key not in DIALECTS:
        raise Misnamed("dialect", f"Name one of {', '.join(DIALECTS)}, or a kept log.")
    head = body.head or (log.body["head"] if log else "")
    if not head:
        raise Misnamed("head", "Name the hash of the log's last entry, or a kept log.")
    return foreign.mark_of(
        incident,
        log,
        workspace=body.workspace,
        correlation=body.correlation or incident.reference,
        dialect=DIALECTS[key],
        head=head,
        runs=body.runs,
        evidence=body.evidence,
    )


def _log(incident: Incident, seq: int) -> EvidenceEntry:
    found = next((entry for entry in foreign.kept(incident) if entry.seq == seq), None)
    if found is None:
        raise Misnamed("log", "No such log was kept in this incident.")
    return found


def _marked(incident: Incident, entry: EvidenceEntry) -> Marked:
    appended, listed = foreign.files_of(incident, entry)
    with foreign.opened(appended) as file:
        written = orjson.loads(file.read())
    return Marked(
        **acted(incident, entry.seq).model_dump(),
        entry=written,
        entry_file=attached(incident, appended),
        manifest_file=attached(incident, listed),
    )


def _check_fields(request: ApiRequest) -> None:
    for fields, known in ((request.POST, Uploading.model_fields), (request.FILES, ("file",))):
        for name in fields:
            if name not in known or len(fields.getlist(name)) > 1:
                raise Misnamed(name[:60], "Send one file, and each field once.")

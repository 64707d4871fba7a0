"""The installation: its configuration, and what the global log says of incidents, logs and checkpoints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.db.models import Model

from incidents import configuration
from incidents.configuration import RecordedAdmin
from incidents.evidence.completeness.account import Account, Entry, Rule
from incidents.models import Checkpoint, EvidenceChain, Incident, ReferenceCounter, RunbookVersion
from incidents.runbook.content import digest
from incidents.terms import Kind

# What the global log says of incidents and their logs ---------------------------------------------------------------


def _declared(said: Account, entry: Entry) -> None:
    said.says(entry.body["incident"])


INCIDENT = Rule(
    Incident,
    "incident",
    rows=lambda _: Incident.objects.all(),
    key=lambda row: row.reference,
    facts=lambda row: {},
    says={Kind.DECLARED: _declared},
    named=lambda row: f"Incident {row}",
)


def _counted(said: Account, entry: Entry) -> None:
    _, year, number = entry.body["incident"].split("-")
    said.says(int(year), last=int(number))


REFERENCE_COUNTER = Rule(
    ReferenceCounter,
    "the references of",
    rows=lambda _: ReferenceCounter.objects.all(),
    key=lambda row: row.year,
    facts=lambda row: {"last": row.last},
    says={Kind.DECLARED: _counted},
    named=lambda row: f"References of {row.year}",
)


def _begun(said: Account, entry: Entry) -> None:
    said.says(entry.body["chain"], incident=entry.body["incident"])


EVIDENCE_CHAIN = Rule(
    EvidenceChain,
    "evidence log",
    rows=lambda _: EvidenceChain.objects.exclude(incident=None).select_related("incident"),
    key=lambda row: str(row.pk),
    facts=lambda row: {"incident": row.incident.reference},
    says={Kind.DECLARED: _begun},
    named=lambda row: f"The log “{row}”",
)


def _signed(said: Account, entry: Entry) -> None:
    body = entry.body
    said.says(f"of {body['chain']} at {body['size']}", root=body["root"], head=body["head"])


CHECKPOINT = Rule(
    Checkpoint,
    "checkpoint",
    # A checkpoint of the global log itself cannot stand in it: it would grow by what it signs.
    rows=lambda _: Checkpoint.objects.exclude(chain__incident=None, chain__custody_of=None),
    key=lambda row: f"of {row.chain_id} at {row.size}",
    facts=lambda row: {"root": row.root, "head": row.head},
    says={Kind.CHECKPOINT_SIGNED: _signed},
)


# The configuration --------------------------------------------------------------------------------------------------


def _published(said: Account, entry: Entry) -> None:
    body = entry.body
    if body["object"] == "runbook":
        said.says(body["id"], sha256=body["new"], text=body["new"], note=body["note"])


RUNBOOK_VERSION = Rule(
    RunbookVersion,
    "runbook version",
    rows=lambda _: RunbookVersion.objects.all(),
    key=lambda row: str(row.number),
    facts=lambda row: {"sha256": row.sha256, "text": digest(row.source), "note": row.note},
    says={Kind.CONFIGURED: _published},
    named=lambda row: f"Runbook {row}",
)


def _of_page(page: RecordedAdmin) -> Rule:
    """The rows that a page of the back office edits, as that page shows them to the log."""

    def changed(said: Account, entry: Entry) -> None:
        body = entry.body
        if body["object"] != page.opts.model_name:
            return
        if body["old"] and not body["new"]:
            said.ends(body["id"])
        else:
            said.says(body["id"], **body["new"])

    return Rule(
        page.model,
        str(page.opts.verbose_name),
        rows=lambda _: page.model._default_manager.order_by("pk"),
        key=configuration.identity,
        facts=lambda row: {name: page.shown(name, value) for name, value in page.snapshot(row).items()},
        says={Kind.CONFIGURED: changed},
        named=lambda row: f"{page.opts.verbose_name} {page.spoken(row)}".capitalize(),
    )


def pages() -> Iterator[RecordedAdmin]:
    """The pages of the back office that record what they change."""
    yield from (page for page in admin.site._registry.values() if isinstance(page, RecordedAdmin))


def rules() -> list[Rule]:
    """The rules of the global log; those of the configuration follow from the pages of the back office."""
    fixed = [INCIDENT, REFERENCE_COUNTER, EVIDENCE_CHAIN, CHECKPOINT, RUNBOOK_VERSION]
    return fixed + [_of_page(page) for page in pages()]


def covered() -> set[type[Model]]:
    """The tables that these rules look at; a page's rows bring their inline rows along."""
    inlines: set[Any] = {inline.model for page in pages() for inline in page.inlines}
    return {rule.model for rule in rules()} | inlines

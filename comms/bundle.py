"""The evidence bundle with what was said: the log knows an update by its hash, the words and mails are here."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from comms.models import Delivery, Notice
from incidents import authority, policy
from incidents.evidence import bundle, log
from incidents.evidence.bundle import Built, Part, Wanted
from incidents.models import EvidenceChain, EvidenceEntry, Incident
from incidents.steps.base import Denied
from incidents.terms import Act, Kind


def may_have_private(user: Any, incident: Incident) -> bool:
    """Personal values leave with those who may also erase them."""
    return authority.can(user, Act.ERASE, incident) is not None


def hand_out(incident: Incident, wanted: Wanted, *, by: Any) -> Built:
    """Make the bundle for somebody, and record in the custody of the evidence that they have it.

    Raises:
        Denied: personal values were asked for by somebody who may not have them.
        keys.NoKey: there is no key to sign with.
    """
    if wanted.private and not may_have_private(by, incident):
        raise Denied(f"Personal values are for the {policy.who_may(Act.ERASE)} of this incident.")
    built = build(incident, wanted)
    log.append_custody(
        incident,
        by=by,
        sentence=f"Evidence bundle up to entry {built.entries} handed out{_with(wanted)}",
        what="bundle",
        sha256=built.sha256,
        size=built.size,
        entries=built.entries,
        private=wanted.private,
        names=wanted.names,
    )
    return built


def _with(wanted: Wanted) -> str:
    found = ["personal values"] * wanted.private + ["names"] * wanted.names
    return f", with {' and '.join(found)}" if found else ""


def build(incident: Incident, wanted: Wanted | None = None) -> Built:
    """The whole bundle of an incident, updates and all."""
    wanted = wanted or Wanted()
    return bundle.build(incident, wanted, partial(_notices, private=wanted.private))


def _notices(head: EvidenceChain, *, private: bool) -> Iterator[Part]:
    """The words of each update as they were issued, in the log's order; the mails only with personal values."""
    entries = head.entries.filter(kind=Kind.NOTICE_ISSUED, seq__lte=head.seq).order_by("seq").defer("canonical")
    issued = [entry for entry in entries if "words_sha256" in entry.body]
    rows = Notice.objects.filter(incident=head.incident_id).issued()
    said = {str(notice.pk): notice for notice in rows}
    for number, entry in enumerate(issued, start=1):
        if notice := said.get(entry.body["notice_id"]):
            stem = f"notices/{number:03}-{entry.body['notice']}"
            yield Part(f"{stem}.txt", [f"{notice.subject}\n\n{notice.body}".encode()])
            if private:
                yield from _mails(stem, notice, entry)


def _mails(stem: str, notice: Notice, entry: EvidenceEntry) -> Iterator[Part]:
    """Each copy's frozen bytes, under its place in the entry. An address that no server takes has none."""
    places = {copy["message_id"]: place for place, copy in enumerate(entry.body.get("copies", ()), start=1)}
    rows = Delivery.objects.filter(notice=notice).exclude(content=b"").values_list("message_id", "content")
    for message_id, content in rows.iterator(chunk_size=50):
        if place := places.get(message_id):
            yield Part(f"{stem}/{place}.eml", [bytes(content)])

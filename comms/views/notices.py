"""Updates to stakeholders: each drafted from the live incident, previewed, edited, sent; and what was sent."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_POST

from comms import drafts, mail, notices, resend
from comms.drafts import Words
from comms.facts import facts_of
from comms.forms import AgainForm, NoticeForm
from comms.models import Delivery, DeliveryState, Notice, NoticeState
from incidents import board as boards
from incidents import clock
from incidents.models import Incident
from incidents.steps.base import Refused
from incidents.terms import Act, NoticeKind
from incidents.views.acts import Offer, back, offer
from incidents.views.base import incident_page, render_incident, showing_refusals, telling_refusals


@dataclass(frozen=True)
class Card:
    """One kind of update as its card shows it."""

    kind: NoticeKind
    issued: list[Notice]
    is_due: bool
    form: NoticeForm
    fresh: Words
    is_saved: bool
    differs: int
    offer: Offer
    preview: mail.Letter | None = None

    @property
    def last(self) -> Notice | None:
        return self.issued[-1] if self.issued else None

    @property
    def name(self) -> str:
        return f"Update {self.kind.value}" if len(self.kind.value) == 1 else "Stand-down notice"

    @property
    def is_open(self) -> bool:
        """Whether the card shows its editor at once: it is due, or someone is at work on it."""
        return self.is_due or self.form.is_bound or self.is_saved

    @property
    def state(self) -> tuple[str, str]:
        if self.last is None:
            return ("due", "Due") if self.is_due else ("wait", "Not sent")
        if self.is_due and self.last.state == NoticeState.SENT:
            return ("due", "Next one due")
        return (self.last.state, str(NoticeState(self.last.state).label))


@incident_page("notices")
def page(request: Any, incident: Incident) -> HttpResponse:
    return _page(request, incident)


@incident_page("notices", Act.SEND_NOTICE)
@require_POST
def write(request: Any, incident: Incident, kind: str) -> HttpResponse:
    """Send, preview or save one update, or begin its draft anew; what was typed stays whatever happens."""
    if kind not in notices.kinds_of(incident):
        raise Http404("This incident has no such update.")
    word = NoticeKind(kind)
    if request.POST.get("do") == "anew":
        return _begin_anew(request, incident, word)
    form = NoticeForm(word, request.POST)
    act = {"send": _send, "save": _save}.get(request.POST.get("do", ""))
    done = act(request, incident, word, form) if act and form.is_valid() else None
    return done or _page(request, incident, form, word)


def _send(request: Any, incident: Incident, kind: NoticeKind, form: NoticeForm) -> HttpResponse | None:
    words = form.words
    with showing_refusals(form):
        sent = notices.issue(
            incident, kind, subject=words.subject, body=words.body, next_update_at=words.next_update_at, by=request.user
        )
    if form.refusal is None:
        messages.success(request, f"{sent.name} is on its way.")
        return back("comms:notice", incident, sent.pk)
    if isinstance(form.refusal, Refused):
        _keep(request, incident, kind, form)
    return None


def _keep(request: Any, incident: Incident, kind: NoticeKind, form: NoticeForm) -> None:
    """Save the draft. A refused update is saved as well: its text outlives the browser."""
    with showing_refusals(form):
        notices.save(incident, kind, form.words, by=request.user, seen=form.began_from)
    if stored := notices.saved(incident, kind):
        form.begin_from(stored.written_at)


def _save(request: Any, incident: Incident, kind: NoticeKind, form: NoticeForm) -> HttpResponse | None:
    _keep(request, incident, kind, form)
    if form.refusal is not None:
        return None
    messages.success(request, f"The draft of {kind.label.lower()} is saved.")
    return back("comms:notices", incident)


def _begin_anew(request: Any, incident: Incident, kind: NoticeKind) -> HttpResponse:
    with telling_refusals(request):
        notices.discard(incident, kind, by=request.user)
        messages.success(request, "The draft is filled anew from the incident.")
    return back("comms:notices", incident)


@dataclass(frozen=True)
class CopyRow:
    """One copy as its row shows it; with a form where it failed and can go out again."""

    copy: Delivery
    form: AgainForm | None


@incident_page("notices")
def notice(request: Any, incident: Incident, pk: uuid.UUID) -> HttpResponse:
    """One update as it was sent, with every copy."""
    return _notice(request, incident, pk)


@incident_page("notices", Act.SEND_NOTICE)
@require_POST
def again(request: Any, incident: Incident, pk: uuid.UUID, copy: uuid.UUID) -> HttpResponse:
    """Send a failed copy again, to the address as it was or as it was corrected."""
    found = get_object_or_404(Delivery.objects.filter(notice=pk, notice__incident=incident), pk=copy)
    form = AgainForm(found, request.POST)
    if form.is_valid():
        with showing_refusals(form):
            sent = resend.again(found, **form.cleaned_data, by=request.user)
            messages.success(request, f"The copy for {sent.name} goes out again, to {sent.email}.")
            return back("comms:notice", incident, pk)
    return _notice(request, incident, pk, form)


def _notice(request: Any, incident: Incident, pk: uuid.UUID, at_work: AgainForm | None = None) -> HttpResponse:
    found = get_object_or_404(Notice.objects.filter(incident=incident).issued().with_copies(), pk=pk)
    copies = sorted(found.deliveries.all(), key=lambda copy: (not copy.is_needed, _PRESSING[copy.state], copy.name))
    needed = [copy for copy in copies if copy.is_needed]
    sending = offer(request, incident, Act.SEND_NOTICE)
    context = {
        "board": boards.of(incident, timeline_rows=0),
        "notice": found,
        "rows": [CopyRow(copy, _form_of(copy, at_work) if sending.is_open else None) for copy in copies],
        "needed": len(needed),
        "counts": {state: sum(copy.state == state for copy in needed) for state in DeliveryState.values},
        "offer": sending,
        "heading": found.name,
    }
    return render_incident(request, "comms/notice.html", incident, context)


def _form_of(copy: Delivery, at_work: AgainForm | None) -> AgainForm | None:
    if not copy.is_missed:
        return None
    return at_work if at_work and at_work.copy == copy else AgainForm(copy)


_PRESSING: dict[str, int] = {
    DeliveryState.FAILED: 0,
    DeliveryState.SENDING: 1,
    DeliveryState.QUEUED: 2,
    DeliveryState.SENT: 3,
}


def _page(
    request: Any, incident: Incident, at_work: NoticeForm | None = None, word: NoticeKind | None = None
) -> HttpResponse:
    at = clock.now()
    board = boards.of(incident, timeline_rows=0)
    issued = list(Notice.objects.filter(incident=incident).issued().counted())
    facts = facts_of(incident)
    kinds = notices.kinds_of(incident)
    due = board.next_notice if board.next_notice in kinds else None
    if NoticeKind.STAND_DOWN in kinds and not any(sent.kind == NoticeKind.STAND_DOWN for sent in issued):
        due = NoticeKind.STAND_DOWN
    slot = drafts.next_slot(incident, at)
    cards = [
        _card(
            request,
            incident,
            kind,
            fresh=drafts.drafted(facts, kind, at=at, next_update_at=slot),
            issued=[sent for sent in issued if sent.kind == kind],
            is_due=kind == due,
            at_work=at_work if kind == word else None,
        )
        for kind in kinds
    ]
    context = {
        "board": board,
        "heading": "Updates to stakeholders",
        "points": [facts.roles[-1].responsibility, facts.book.precondition("informed").text],
        "cards": sorted(cards, key=lambda card: not card.is_open),
        "issued": list(reversed(issued)),
        "is_sending": any(sent.state == NoticeState.SENDING for sent in issued),
        "recipients": notices.recipients(incident),
        "next_update_at": board.next_update_at,
        "is_overdue": board.is_update_overdue,
    }
    return render_incident(request, "comms/notices.html", incident, context)


def _card(
    request: Any,
    incident: Incident,
    kind: NoticeKind,
    *,
    fresh: Words,
    issued: list[Notice],
    is_due: bool,
    at_work: NoticeForm | None,
) -> Card:
    saved = notices.saved(incident, kind)
    words = Words(saved.subject, saved.body, saved.next_update_at) if saved else fresh
    form = at_work or NoticeForm.of(kind, words, saved.written_at if saved else None)
    shown = form.words if form.is_bound and form.is_valid() else None
    return Card(
        kind=kind,
        issued=issued,
        is_due=is_due,
        form=form,
        fresh=fresh,
        is_saved=saved is not None,
        differs=len(set(fresh.body.splitlines()) - set(words.body.splitlines())) if saved else 0,
        offer=offer(request, incident, Act.SEND_NOTICE, notices.blockers(incident, kind)),
        preview=notices.preview(incident, kind, shown) if shown else None,
    )

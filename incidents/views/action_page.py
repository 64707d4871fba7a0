"""What the page of one action shows: what will run, who agreed, how it went, and which acts are open to whom."""

from __future__ import annotations

import json
from typing import Any

from django.http import Http404, HttpResponse
from django.urls import reverse

from incidents.board import Board, ProposalState, of
from incidents.board.states import planned_state
from incidents.connectors import credentials
from incidents.dispatch import can_rehearse
from incidents.forms.rollback import CompleteForm, ReasonForm, ResolveForm
from incidents.models import Action, Connector, Incident, Rehearsal
from incidents.models.verify import RUNNING
from incidents.steps import attempts
from incidents.steps import rollback as steps
from incidents.templatetags.look import kind_of
from incidents.terms import Act, ActionState, AttemptState, ConnectorKind, Role
from incidents.views.acts import Offer, offer, waiting
from incidents.views.step_page import holder_of, render_step


def show(request: Any, incident: Incident, key: str, **bound: Any) -> HttpResponse:
    """The page of one action.

    Args:
        bound: a form that was sent and refused, under its word: `waive=form`.
    """
    board = of(incident, timeline_rows=0)
    shown = _loaded(incident, key)
    digest = steps.spec_digest(shown, board.target) if board.target else ""
    approval = steps.valid_approval(shown, digest, board.at)
    context = {
        "action": shown,
        "here": reverse("incidents:action", args=[incident.reference, key]),
        "role": Role(shown.owner),
        "holder": holder_of(board, shown.owner),
        "text": next((text for text in incident.book.actions if text.key == key), None),
        "target": board.target,
        "digest": digest,
        "spec": _spec(shown),
        "by_hand": steps.is_by_hand(shown),
        "needs_second": steps.needs_second(shown),
        "approval": approval,
        "owns": Role(shown.owner) in request.held,
        "kind": kind_of(shown.state).replace("unknown", "bad"),
        "headline": _headline(board, shown),
        "live": steps.live_attempt(shown),
        "is_running": is_running(incident, key),
        "held_up_by": _held_up_by(shown),
        "run_verb": "Run it again" if shown.attempts.all() else "Run it now",
        "can_rehearse": can_rehearse(shown),
        "rehearsal": rehearsal_of(shown),
        "is_rehearsing": is_rehearsing(shown),
        "can_print": _can_print(shown.connector),
        "attempts": shown.attempts.select_related("requested_by", "approved_by").order_by("-number"),
        "exhibits": [exhibit for exhibit in incident.exhibits.all() if exhibit.subject == f"action:{key}"],
        "waiver_needs_second": steps.waiver_needs_second(shown),
        "offers": _offers(request, board, shown),
        "proposals": _proposals(request, board, shown),
        "forms": _forms(bound),
    }
    return render_step(request, "incidents/action.html", board, "rollback", context, action=key)


def _forms(bound: dict[str, Any]) -> dict[str, Any]:
    """The forms of the page; one that was refused comes back as it was sent."""
    empty = {"complete": CompleteForm, "abort": ReasonForm, "waive": ReasonForm, "resolve": ResolveForm}
    return {word: bound.get(word) or form(auto_id=f"id_{word}_%s") for word, form in empty.items()}


def is_running(incident: Incident, key: str) -> bool:
    """Whether a connector has it: then its page follows along."""
    live = steps.live_attempt(_loaded(incident, key))
    return live is not None and not live.by_hand and live.state != AttemptState.UNKNOWN


def _held_up_by(shown: Action) -> str:
    live = steps.live_attempt(shown)
    return attempts.held_up_by(live) if live and live.state == AttemptState.QUEUED else ""


def rehearsal_of(shown: Action) -> Rehearsal | None:
    """The last dry run."""
    return next(iter(reversed(shown.rehearsals.all())), None)


def is_rehearsing(shown: Action) -> bool:
    last = rehearsal_of(shown)
    return last is not None and last.state in RUNNING


def is_followed(incident: Incident, key: str) -> bool:
    """Whether something goes on of which the page shows how it goes."""
    return is_running(incident, key) or is_rehearsing(_loaded(incident, key))


def _loaded(incident: Incident, key: str) -> Action:
    found = next((action for action in incident.actions.all() if action.key == key), None)
    if found is None:
        raise Http404("No such action in this incident.")
    return found


def _headline(board: Board, shown: Action) -> str:
    """How it stands, in the fewest words: what a planned action waits for is the fact."""
    if shown.state != ActionState.PLANNED:
        return str(shown.get_state_display())
    _, word = planned_state(shown, board.at)
    return {"next": "Ready", "second person": "Needs approval"}.get(word, f"Waits, {word}")


def _spec(shown: Action) -> str:
    """The arguments and the connector's settings, as the digest covers them. Secrets are references, or masked."""
    found = {"arguments": shown.arguments} | ({"settings": shown.connector.config} if shown.connector else {})
    return (
        json.dumps(credentials.masked(found), indent=2, ensure_ascii=False, sort_keys=True)
        if any(found.values())
        else ""
    )


def _proposals(request: Any, board: Board, shown: Action) -> list[ProposalState]:
    about = [(Act.RESOLVE_UNKNOWN, {"attempt": str(attempt.pk)}) for attempt in shown.attempts.all()]
    about.append((Act.WAIVE_ACTION, {"action": shown.key}))
    return [state for act, arguments in about for state in waiting(request, board, act, **arguments)]


def _offers(request: Any, board: Board, shown: Action) -> dict[str, Offer]:
    by, at = request.user, board.at
    unknown = next((a for a in shown.attempts.all() if a.state == AttemptState.UNKNOWN), None)
    blockers: dict[str, tuple[Act, list[str]]] = {
        "rehearse": (Act.REHEARSE_ACTION, steps.rehearse_blockers(shown)),
        "approve": (Act.APPROVE_ACTION, steps.plan_blockers(board.incident) or steps.approve_blockers(shown)),
        "dispatch": (Act.DISPATCH_ACTION, steps.dispatch_blockers(shown, by, at)),
        "complete": (Act.COMPLETE_ACTION, steps.complete_blockers(shown, by, at)),
        "abort": (Act.ABORT_ACTION, steps.abort_blockers(shown)),
        "waive": (Act.WAIVE_ACTION, steps.waive_blockers(shown)),
        "resolve": (Act.RESOLVE_UNKNOWN, attempts.resolve_blockers(unknown, at) if unknown else []),
    }
    return {
        word: offer(request, board.incident, act, found, Role(shown.owner)) for word, (act, found) in blockers.items()
    }


def _can_print(connector: Connector | None) -> bool:
    """Whether there is something to see while it runs: a webhook that does not wait has ended with its answer."""
    return connector is not None and (connector.kind != ConnectorKind.WEBHOOK or "wait_for" in connector.config)

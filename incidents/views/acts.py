"""What the pages of the steps share: an act as it is shown, evidence brought along, a page's part of the log."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from incidents import lifecycle, policy
from incidents.board import Board, ProposalState, proposals_for
from incidents.evidence import attachments
from incidents.models import Exhibit, Incident
from incidents.steps import cleanup
from incidents.steps.base import Denied, Refused
from incidents.terms import Act, Phase, Role
from incidents.views.base import may


@dataclass(frozen=True)
class Offer:
    """One act as a page shows it: open to this person, or closed with the sentences that the step refuses with."""

    act: Act
    mine: bool
    who: str
    blockers: list[Any]

    @property
    def is_open(self) -> bool:
        return self.mine and not self.blockers


def offer(request: Any, incident: Incident, act: Act, blockers: Iterable[Any] = (), owner: Role | None = None) -> Offer:
    """The act for the person who looks. The phase speaks first, as it does in the step.

    Args:
        blockers: what the step's own `blockers()` says.
        owner: the role that an owned act belongs to.
    """
    refusal = lifecycle.refusal(act, Phase(incident.phase))
    found = [refusal] if refusal else list(blockers)
    return Offer(act, may(request, act, owner), policy.who_may(act, owner), found)


def receive(request: Any, incident: Incident, owner: Role | None, brought: dict[str, Any]) -> dict[str, Any]:
    """What a form brought, its file looked at and kept: before the act's transaction, as a scanner may take long.

    A file is kept only for somebody who may attach it.

    Args:
        brought: text, link and file, as far as they were given.

    Raises:
        Denied, Refused: nothing is kept.
    """
    if not brought.get("file"):
        return brought
    asked = offer(request, incident, Act.ATTACH_EVIDENCE, owner=owner)
    if not asked.mine:
        raise Denied(f"{asked.act.label} is for the {asked.who} of this incident.")
    if asked.blockers:
        raise Refused(*asked.blockers)
    try:
        return brought | {"file": attachments.receive(incident, brought["file"])}
    except attachments.NotStored as error:
        raise Refused(str(error)) from error


def bring(request: Any, incident: Incident, subject: str, owner: Role | None, **received: Any) -> Exhibit:
    """Attach for `subject` what was received."""
    file = received.pop("file", None)
    attachment = attachments.enter(incident, file, request.user) if file else None
    return cleanup.attach(
        incident, subject, owner=owner or Role.COMMANDER, by=request.user, attachment=attachment, **received
    )


def waiting(request: Any, board: Board, *acts: Act, **arguments: Any) -> list[ProposalState]:
    """The proposals of these acts that still wait, worded for the person who looks.

    Args:
        arguments: only those that are about this: `action="3c-schema"`.
    """
    wanted = {
        proposal.pk
        for proposal in board.proposals
        if proposal.act in acts and arguments.items() <= proposal.arguments.items()
    }
    return [state for state in proposals_for(board, request.held, request.user) if state.pk in wanted]


def back(page: str, incident: Incident, *args: Any) -> HttpResponse:
    """Lead on to a page, at its top: that is where it says what was done, wherever the form stood."""
    return redirect(f"{reverse(page, args=[incident.reference, *args])}#main")

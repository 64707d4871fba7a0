"""The target, the plan and what ran of it, and the cleanup."""

from __future__ import annotations

from typing import Any

from incidents.evidence.completeness.account import Account, Entry, Rule
from incidents.evidence.completeness.declared import corrected, moment, person
from incidents.models import Action, Approval, Attempt, CleanupItem, Confirmation, Target
from incidents.terms import ActionState, Aspect, AttemptState, CleanupState, Kind

# The target ---------------------------------------------------------------------------------------------------------


def _chosen(said: Account, entry: Entry) -> None:
    body = entry.body
    said.says(
        body["target_id"],
        kind=body["target_kind"],
        identifier=body["target"],
        reason=body["reason"],
        chosen_by=entry.by,
        replaced=False,
    )
    if body["replaces"] is not None:
        said.says(body["replaces_id"], replaced=True)


TARGET = Rule(
    Target,
    "target",
    rows=lambda incident: incident.targets.select_related("chosen_by"),
    key=lambda row: row.pk,
    facts=lambda row: {
        "kind": row.kind,
        "identifier": row.identifier,
        "reason": row.reason,
        "chosen_by": person(row.chosen_by),
        "replaced": row.replaced_at is not None,
    },
    says={Kind.TARGET_CHOSEN: _chosen, Kind.CORRECTED: corrected(Target)},
)


def _confirmed(said: Account, entry: Entry) -> None:
    body = entry.body
    said.says(f"{body['aspect']} of {body['target_id']}", note=body["note"], by=entry.by, role=entry.actor["role"])


CONFIRMATION = Rule(
    Confirmation,
    "confirmation",
    rows=lambda incident: Confirmation.objects.filter(target__incident=incident).select_related("target", "by"),
    key=lambda row: f"{row.aspect} of {row.target_id}",
    facts=lambda row: {"note": row.note, "by": person(row.by), "role": row.role},
    says={Kind.TARGET_CONFIRMED: _confirmed},
    named=lambda row: f"Confirmation of {Aspect(row.aspect).label.lower()} of {row.target.identifier}",
)


# The plan -----------------------------------------------------------------------------------------------------------

_LISTED = ("track", "name", "owner", "stage", "destructive", "changes_state")


def _planned(said: Account, entry: Entry, keys: list[str]) -> None:
    """Actions as the runbook of the incident lists them."""
    assert entry.incident  # noqa: S101 - a plan belongs to an incident
    listed = {text.key: text for text in entry.incident.book.actions}
    for key in keys:
        text = listed.get(key)
        facts: dict[str, Any] = {}
        if text:
            facts = {name: getattr(text, name) for name in _LISTED}
            facts["changes_state"] = text.changes_state or text.destructive
        said.says(key, **facts, state=ActionState.PLANNED, result="")


def _plan_made(said: Account, entry: Entry) -> None:
    _planned(said, entry, entry.body["actions"])


def _plan_fitted(said: Account, entry: Entry) -> None:
    for key in entry.body["removed"]:
        said.ends(key)
    _planned(said, entry, entry.body["added"])
    _due_again(said, [key for key in entry.body["reopened"] if key in said])


def _due_again(said: Account, keys: list[str]) -> None:
    for key in keys:
        said.says(key, state=ActionState.PLANNED, result="")


def _target_replaced(said: Account, entry: Entry) -> None:
    _due_again(said, entry.body.get("due_again", []))


def _added(said: Account, entry: Entry) -> None:
    body = entry.body
    facts = {name: body[name] for name in _LISTED if name != "changes_state"}
    said.says(body["action"], **facts, changes_state=True, state=ActionState.PLANNED, result="")


def _moved(said: Account, entry: Entry) -> None:
    body = entry.body
    state = {"state": body["new"]} if "new" in body else {}
    result = {"result": body[_RESULTS[entry.kind]]} if entry.kind in _RESULTS else {}
    said.says(body["action"], **state, **result)


_RESULTS = {
    Kind.ACTION_SUCCEEDED: "result",
    Kind.ACTION_FAILED: "result",
    Kind.ACTION_UNKNOWN: "result",
    Kind.ACTION_RESOLVED: "note",
    Kind.ACTION_WAIVED: "reason",
}

ACTION = Rule(
    Action,
    "action",
    rows=lambda incident: incident.actions.all(),
    key=lambda row: row.key,
    facts=lambda row: {**{name: getattr(row, name) for name in _LISTED}, "state": row.state, "result": row.result},
    says={
        Kind.PLAN_MADE: _plan_made,
        Kind.LEVEL_CHANGED: _plan_fitted,
        Kind.TARGET_CHOSEN: _target_replaced,
        Kind.ACTION_ADDED: _added,
        **dict.fromkeys((Kind.ACTION_QUEUED, Kind.ACTION_STARTED, Kind.ACTION_CANCELLED, *_RESULTS), _moved),
    },
)


def _agreed(said: Account, entry: Entry) -> None:
    body = entry.body
    said.says(
        body["approval"],
        action=body["action"],
        digest=body["digest"],
        by=entry.by,
        expires_at=moment(body["expires_at"]),
    )


APPROVAL = Rule(
    Approval,
    "approval",
    rows=lambda incident: Approval.objects.filter(action__incident=incident).select_related("action", "by"),
    key=lambda row: row.pk,
    facts=lambda row: {
        "action": row.action.key,
        "digest": row.digest,
        "by": person(row.by),
        "expires_at": row.expires_at,
    },
    says={Kind.ACTION_APPROVED: _agreed},
    named=lambda row: f"Approval of “{row.action}”",
)


# What ran -----------------------------------------------------------------------------------------------------------

# A claim that has not started anything is nobody's act: to the log the attempt still waits.
_AS_LOGGED = {AttemptState.LEASED: AttemptState.QUEUED}
_STATES = {
    Kind.ACTION_QUEUED: AttemptState.QUEUED,
    Kind.ACTION_STARTED: AttemptState.STARTED,
    Kind.ACTION_SUCCEEDED: AttemptState.SUCCEEDED,
    Kind.ACTION_FAILED: AttemptState.FAILED,
    Kind.ACTION_UNKNOWN: AttemptState.UNKNOWN,
    Kind.ACTION_CANCELLED: AttemptState.CANCELLED,
}
_SAID_OF_ATTEMPT = {
    "action": "action",
    "number": "number",
    "digest": "digest",
    "target_id": "target",
    "approved_by": "approved_by",
    "fence": "fence",
    "output_sha256": "output_sha256",
    "result": "sentence",
    "reason": "sentence",
}


def _tried(said: Account, entry: Entry) -> None:
    body = entry.body
    facts = {fact: body[name] for name, fact in _SAID_OF_ATTEMPT.items() if name in body}
    if body["attempt"] not in said:
        facts["requested_by"] = entry.by
    said.says(body["attempt"], **facts, state=_STATES[entry.kind])


def _decided(said: Account, entry: Entry) -> None:
    said.says(entry.body["attempt"], state=entry.body["state"])


def _late(said: Account, entry: Entry) -> None:
    said.says(entry.body["attempt"])


def _overtaken(said: Account, entry: Entry) -> None:
    for key in entry.body.get("cancelled", []):
        said.says(key, state=AttemptState.CANCELLED)


ATTEMPT = Rule(
    Attempt,
    "attempt",
    rows=lambda incident: Attempt.objects.filter(action__incident=incident).select_related(
        "action", "requested_by", "approved_by"
    ),
    key=lambda row: str(row.pk),
    facts=lambda row: {
        "action": row.action.key,
        "number": row.number,
        "digest": row.digest,
        "target": row.target_id,
        "requested_by": person(row.requested_by),
        "approved_by": person(row.approved_by),
        "fence": row.fence,
        "state": _AS_LOGGED.get(AttemptState(row.state), row.state),
        "sentence": row.sentence,
        "output_sha256": row.output_sha256,
    },
    says={
        **dict.fromkeys(_STATES, _tried),
        Kind.ACTION_RESOLVED: _decided,
        Kind.ACTION_LATE: _late,
        Kind.TARGET_CHOSEN: _overtaken,
    },
)


# The cleanup --------------------------------------------------------------------------------------------------------


def _laid_out(said: Account, entry: Entry) -> None:
    assert entry.incident  # noqa: S101 - a declaration belongs to an incident
    for area in entry.incident.book.cleanup:
        for item in area.items:
            said.says(
                item.key,
                area=area.key,
                name=item.name,
                owner=area.owner,
                state=CleanupState.OPEN,
                note="",
                by=None,
                second=None,
            )


def _settled(state: CleanupState, words: str) -> Any:
    def handler(said: Account, entry: Entry) -> None:
        for key in entry.body["items"]:
            said.says(key, state=state, note=entry.body[words], by=entry.by, second=entry.second)

    return handler


def _reopened(said: Account, entry: Entry) -> None:
    for key in entry.body["reopened"]:
        if key in said:
            said.says(key, state=CleanupState.OPEN, note="", by=None, second=None)


CLEANUP_ITEM = Rule(
    CleanupItem,
    "cleanup item",
    rows=lambda incident: incident.cleanup_items.select_related("by", "second"),
    key=lambda row: row.key,
    facts=lambda row: {
        "area": row.area,
        "name": row.name,
        "owner": row.owner,
        "state": row.state,
        "note": row.note,
        "by": person(row.by),
        "second": person(row.second),
    },
    says={
        Kind.DECLARED: _laid_out,
        Kind.CLEANUP_TICKED: _settled(CleanupState.DONE, "note"),
        Kind.CLEANUP_WAIVED: _settled(CleanupState.WAIVED, "reason"),
        Kind.LEVEL_CHANGED: _reopened,
    },
)

RULES = (TARGET, CONFIRMATION, ACTION, APPROVAL, ATTEMPT, CLEANUP_ITEM)

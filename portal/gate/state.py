"""The state of a product's freeze as the gate tells it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from incidents.freeze_check import State
from incidents.terms import Measure


def told(product: str, state: State, at: datetime) -> dict[str, Any]:
    """Measures, promotions by environment pair, deploys by environment, and how many exceptions live."""
    facts = state.facts
    return {
        "product": product,
        "frozen": facts is not None,
        "incident": facts.incident if facts else None,
        "drill": facts.drill if facts else False,
        "scope_level": facts.level.value if facts else None,
        "scope_level_name": facts.level_name if facts else None,
        "commander": facts.commander or None if facts else None,
        "since": facts.held_since if facts else None,
        "measures": [_measure(state, measure) for measure in Measure],
        "promotions": _promotions(state),
        "deploys": [{"environment": name, **_held(state, Measure.DEPLOYS, name)} for name in state.environments],
        "exceptions": state.exceptions,
        "checked_at": at,
    }


def _measure(state: State, measure: Measure) -> dict[str, Any]:
    rows = [held for held in state.held if held.measure == measure and held.in_force]
    since = max((held.since for held in rows if held.since), default=None)
    return {"measure": measure.value, "in_force": bool(rows), "since": since}


def _promotions(state: State) -> list[dict[str, Any]]:
    """The way into each environment; `from` is null where the first one is entered."""
    sources = [None, *state.environments]
    return [
        {"from": source, "to": name, **_held(state, Measure.PROMOTIONS, name)}
        for source, name in zip(sources, state.environments, strict=False)
    ]


def _held(state: State, measure: Measure, environment: str) -> dict[str, Any]:
    """An environment that came after the declaration has no row of its own; it is held while the freeze is active."""
    found = next((h for h in state.held if h.measure == measure and h.environment == environment), None)
    if found is None:
        return {"in_force": state.facts is not None, "since": state.facts.held_since if state.facts else None}
    return {"in_force": found.in_force, "since": found.since if found.in_force else None}

"""One act on one thing after the other, each dying a point later; and what holds of the logs afterwards (F9)."""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any, Protocol

from tests.faults.installation import Installation
from tests.faults.invariants import bundle_entries

DONE, ALREADY = (200, 201, 202), 409


class Doer(Protocol):
    """Does an act, and dies where it is told to."""

    def ask(self, asked: dict[str, Any]) -> dict[str, Any]: ...


class Sweep:
    """An act on one thing after the other, dying one point later each time; then asked again as a person would."""

    def __init__(self, name: str, doer: Doer) -> None:
        self.name, self.doer, self.died = name, doer, 0
        self.answers: list[Any] = []

    def points(self, *acts: dict[str, Any]) -> int:
        """How many points the last of these acts has; the ones before it warm up what is made once."""
        for act in acts:
            said = self.doer.ask(act)
            assert said["died"] is False, said
            assert said["value"] is None or said["value"] in DONE, said
        return len(said["points"])

    def over(self, acts: list[dict[str, Any]], *, of: int = 0, again: bool = True) -> None:
        """Do each, dying a point later; then ask for it again.

        Args:
            of: how many points there are, where they are not as many as these acts: they are spread over them.
        """
        for number, act in enumerate(acts):
            die_at = 1 + number * (of or len(acts)) // len(acts)
            self.died += self.doer.ask(act | {"die_at": die_at})["died"]
            if again:
                self.answers.append(self.doer.ask(act)["value"])
        assert self.died >= 0.9 * len(acts), f"{self.died} of {len(acts)} died: the points are not where they were"
        assert set(self.answers) <= {*DONE, ALREADY}, Counter(self.answers)
        sys.stderr.write(f"F9 {self.name}: died at {self.died} points, asked again: {dict(Counter(self.answers))}\n")


def post(portal: Installation, path: str, role: str, body: Any = None) -> dict[str, Any]:
    return {"what": "post", "path": path, "token": portal.tokens[role], "body": body}


def declare(portal: Installation, product: str) -> dict[str, Any]:
    body = {"product": product, "trigger": "regression", "summary": "Lag", "scope_level": "L1"}
    return post(portal, "incidents", "commander", body)


def products(portal: Installation, number: int, **how: Any) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = portal.hand.do("incidents", number=number, actions=1, connectors=[], **how)
    return made


def verified(portal: Installation, references: list[str]) -> dict[str, Counter[str]]:
    """The kinds of entries of each incident, whose log and rows hold."""
    found = {}
    for reference in references:
        verdict = portal.ask("GET", f"incidents/{reference}/evidence/verify", "commander").value
        assert (verdict["code"], verdict["gaps"], verdict["reason"]) == (0, [], ""), verdict
        found[reference] = Counter(entry["kind"] for entry in bundle_entries(portal, reference))
    return found

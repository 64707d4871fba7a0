"""Work that people do by hand: nothing leaves the portal, its owner records how it ended."""

from __future__ import annotations

from typing import NoReturn

from incidents.connectors.base import Alive, Config, Job, Limits, NotRunnable


def check(config: Config, limits: Limits) -> list[str]:
    """Return a sentence for each setting that is there; this kind has none."""
    return ["Work by hand has no settings."] if config else []


def run(job: Job, limits: Limits, alive: Alive) -> NoReturn:
    """Refuse: no worker may decide what a person did. Raises `NotRunnable`."""
    raise NotRunnable(f"{job.action_key} is done by hand; its owner records the outcome.")

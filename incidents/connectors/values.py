"""What an outside system is handed besides its name: texts by name, with the job's own facts filled in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from incidents.connectors.base import Config, Job

PLACES = ("attempt", "idempotency_key", "epoch", "fence", "incident", "action", "product", "target")
ECHO = "{attempt}"
PLACE = re.compile(r"\{([a-z_]*)\}")


def problems(config: Config, name: str = "values") -> list[str]:
    """Return sentences why these texts cannot be used."""
    found = config.get(name, {})
    if not isinstance(found, Mapping) or not all(isinstance(value, str) for value in found.values()):
        return [f"{name} must be an object of texts."]
    unknown = unknown_places(found.values())
    return [f"{name} uses {place}, which is none of {', '.join(PLACES)}." for place in unknown]


def unknown_places(texts: Iterable[str]) -> list[str]:
    """Return the places in these texts that no fact of a job fills."""
    return sorted({f"{{{place}}}" for text in texts for place in PLACE.findall(text)} - {f"{{{p}}}" for p in PLACES})


def clashes(job: Job, name: str = "values") -> list[str]:
    """Return a sentence for each argument of the action that says something else than the connector."""
    fixed = filled(job.config.get(name, {}), job)
    wrong = [key for key, value in job.arguments.items() if fixed.get(key, value) != value]
    return [f"The argument {key!r} is fixed by the connector." for key in wrong]


def of(job: Job, name: str = "values") -> dict[str, str]:
    """Return the action's arguments and the connector's values together."""
    return dict(job.arguments) | filled(job.config.get(name, {}), job)


def filled(templates: Mapping[str, str], job: Job) -> dict[str, str]:
    return {key: fill(value, job) for key, value in templates.items()}


def fill(template: str, job: Job) -> str:
    """Put the job's facts in the places of a text; a fact that holds braces is left as it is."""
    known = facts(job)
    return PLACE.sub(lambda found: known.get(found[1], found[0]), template)


def facts(job: Job) -> dict[str, str]:
    """What a text may name of a job."""
    return {
        "attempt": str(job.attempt_id),
        "idempotency_key": job.idempotency_key,
        "epoch": str(job.epoch),
        "fence": str(job.fence),
        "incident": job.incident,
        "action": job.action_key,
        "product": job.product,
        "target": job.target,
    }


def echoes(config: Config, name: str = "values") -> bool:
    """Tell whether one of the texts carries the attempt's id, by which its run can be found again."""
    return any(ECHO in value for value in config.get(name, {}).values())

"""The API's routers, one for each word; `portal.api` puts them under /api/v1/incidents."""

from __future__ import annotations

from incidents.api import (
    cleanup,
    declare,
    deliver,
    evidence,
    exhibits,
    foreign,
    freeze,
    incidents,
    privacy,
    proposals,
    roles,
    rollback,
    target,
    timeline,
    unfreeze,
    verify,
)

ROUTERS = tuple(
    module.router
    for module in (
        incidents,
        declare,
        roles,
        freeze,
        target,
        rollback,
        cleanup,
        verify,
        unfreeze,
        deliver,
        proposals,
        exhibits,
        foreign,
        evidence,
        timeline,
        privacy,
    )
)

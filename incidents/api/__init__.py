"""The API's routers, one for each word; `portal.api` puts them under /api/v1/incidents."""

from __future__ import annotations

from incidents.api import (
    cleanup,
    declare,
    deliver,
    evidence,
    exhibits,
    freeze,
    incidents,
    proposals,
    roles,
    rollback,
    target,
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
        evidence,
    )
)

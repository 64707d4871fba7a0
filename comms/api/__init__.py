"""What the API says and takes of this app; `portal.api` puts the router under /api/v1/incidents."""

from __future__ import annotations

from ninja import Router

from comms.api import bundle, notices, report

router = Router()
router.add_router("", notices.router)
router.add_router("", report.router)
router.add_router("", bundle.router)

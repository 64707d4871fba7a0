"""The API under /api/v1/: the routers of the apps, one way in, one shape of errors."""

from __future__ import annotations

from typing import Any

import orjson
from django.http import HttpRequest
from ninja import NinjaAPI
from ninja.renderers import BaseRenderer

from comms.api import router as comms_router
from incidents.api import ROUTERS, callback, suggestions
from incidents.api.strict import StrictParser
from portal.accounts.auth import Bearer
from portal.accounts.models import Scope
from portal.api import errors, gate
from portal.api.openapi import described

VERSION = "1.0.0"


class Renderer(BaseRenderer):
    """Times as RFC 3339 in UTC."""

    media_type = "application/json"

    def render(self, request: HttpRequest, data: Any, *, response_status: int) -> bytes:
        return orjson.dumps(data, option=orjson.OPT_UTC_Z)


class Api(NinjaAPI):
    """django-ninja with our errors in its OpenAPI document."""

    def get_openapi_schema(self, **options: Any) -> Any:
        return described(super().get_openapi_schema(**options))


api = Api(
    title="Lastgood",
    version=VERSION,
    description="Rollback mode of failing delivery cycles: the freeze gate, and every act of the runbook's steps.",
    urls_namespace="api",
    auth=Bearer(),
    docs_url=None,
    parser=StrictParser(),
    renderer=Renderer(),
)
errors.handle(api)
api.add_router("/freeze", gate.router)
api.add_router("/attempts", callback.router)
api.add_router("/suggestions", suggestions.inbox, auth=Bearer(Scope.SUGGEST, longest=suggestions.LONGEST_BODY))
api.add_router("/suggestions", suggestions.router)
for router in ROUTERS:
    api.add_router("/incidents", router)
api.add_router("/incidents", comms_router)

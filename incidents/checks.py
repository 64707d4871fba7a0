"""System checks: the settings that evidence and dispatch stand on."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import Error, Tags, register
from django.db import connection

from incidents.connectors import allowlist
from incidents.dispatch import limits
from incidents.evidence import scanner, triggers


@register(Tags.database)
def sqlite_takes_the_write_lock_first(**_: Any) -> list[Error]:
    if connection.vendor == "sqlite" and connection.settings_dict["OPTIONS"].get("transaction_mode") != "IMMEDIATE":
        hint = 'Set OPTIONS["transaction_mode"] to "IMMEDIATE".'
        return [Error("SQLite must open transactions with IMMEDIATE.", hint=hint, id="incidents.E001")]
    return []


@register(Tags.database)
def evidence_is_append_only(databases: Any = None, **_: Any) -> list[Error]:
    if not databases or triggers.TABLE not in connection.introspection.table_names():
        return []
    if lost := triggers.missing(connection):
        hint = "Run manage.py migrate: it makes them again."
        return [Error(f"Evidence triggers are missing or altered: {', '.join(lost)}.", hint=hint, id="incidents.E002")]
    return []


@register(Tags.security)
def scanner_can_be_asked(**_: Any) -> list[Error]:
    if settings.SCAN_REQUIRED and not settings.CLAMD:
        hint = "Set LASTGOOD_CLAMD, or leave LASTGOOD_SCAN_REQUIRED off."
        return [
            Error("Files must be scanned, and no scanner is set: none can be attached.", hint=hint, id="incidents.E004")
        ]
    try:
        if settings.CLAMD:
            scanner.place(settings.CLAMD)
    except scanner.NotAnAddress as error:
        return [Error(str(error), hint="Mend LASTGOOD_CLAMD.", id="incidents.E005")]
    return []


@register(Tags.security)
def commands_can_be_used(**_: Any) -> list[Error]:
    return [
        Error(problem, hint="Mend LASTGOOD_COMMANDS.", id="incidents.E003") for problem in allowlist.problems(limits())
    ]

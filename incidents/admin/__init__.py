"""The back office: configuration is edited here, incidents and their evidence are looked at."""

from django.contrib import admin

from incidents.admin import (
    cleanup,
    connector,
    declare,
    deliver,
    evidence,
    freeze,
    product,
    rollback,
    runbook,
    target,
    unfreeze,
    verify,
)

admin.site.disable_action("delete_selected")

__all__ = [
    "cleanup",
    "connector",
    "declare",
    "deliver",
    "evidence",
    "freeze",
    "product",
    "rollback",
    "runbook",
    "target",
    "unfreeze",
    "verify",
]

from __future__ import annotations

import re
from typing import ClassVar

from django.core.exceptions import ValidationError
from django.db import models

from incidents.models.product import Product
from incidents.terms import ConnectorKind


def validate_secret_reference(value: str) -> None:
    """A secret is never stored: the row names the environment variable that holds it."""
    if value and not re.fullmatch(r"env:[A-Z][A-Z0-9_]{0,60}", value):
        raise ValidationError("Write a reference such as env:DEPLOY_WEBHOOK_SECRET, never the secret itself.")


class Connector(models.Model):
    """How an action or gate leaves the portal."""

    name = models.CharField(max_length=80, unique=True)
    kind = models.CharField(max_length=12, choices=ConnectorKind.choices)
    config = models.JSONField(default=dict, blank=True)
    secret = models.CharField(max_length=70, blank=True, validators=[validate_secret_reference])
    deadline_seconds = models.PositiveIntegerField(default=120)
    max_parallel = models.PositiveSmallIntegerField(
        "at once", default=4, help_text="How many actions it may run side by side, over all incidents."
    )
    enabled = models.BooleanField(default=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Wiring(models.Model):
    """Which connector a product uses for one action or gate of the runbook, and with which arguments."""

    product = models.ForeignKey(Product, models.CASCADE, related_name="wirings")
    key = models.CharField("action or gate key", max_length=40)
    connector = models.ForeignKey(Connector, models.PROTECT, related_name="wirings")
    arguments = models.JSONField(default=dict, blank=True)
    target_key = models.CharField(
        max_length=120, blank=True, help_text="What the action touches; two actions on one target never run together."
    )

    class Meta:
        ordering = ("product", "key")
        constraints: ClassVar = [models.UniqueConstraint(fields=["product", "key"], name="wired_once")]

    def __str__(self) -> str:
        return f"{self.product} {self.key} → {self.connector}"

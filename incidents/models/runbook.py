from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from incidents.runbook import Runbook, parse


class RunbookVersion(models.Model):
    """One version of the runbook's text. Never changed in place: an edit makes the next number."""

    number = models.PositiveIntegerField(unique=True)
    source = models.TextField("runbook text (TOML)")
    sha256 = models.CharField("SHA-256", max_length=64, editable=False)
    note = models.CharField("what changed and why", max_length=200)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, editable=False, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering: ClassVar = ["-number"]

    def __str__(self) -> str:
        return f"version {self.number}"

    @property
    def content(self) -> Runbook:
        return parse(self.source)

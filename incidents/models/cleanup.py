from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from incidents.models.incident import Incident
from incidents.terms import CleanupState, Role, ScanState


class CleanupItem(models.Model):
    """One row of the mandatory cleanup checklist."""

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="cleanup_items")
    area = models.CharField(max_length=40)
    key = models.CharField(max_length=40)
    name = models.CharField(max_length=200)
    owner = models.CharField(max_length=24, choices=Role.choices)
    state = models.CharField(max_length=8, choices=CleanupState.choices, default=CleanupState.OPEN)
    note = models.CharField(max_length=500, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    second = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    settled_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("id",)
        constraints: ClassVar = [models.UniqueConstraint(fields=["incident", "key"], name="cleanup_item_once")]

    def __str__(self) -> str:
        return self.name


class Attachment(models.Model):
    """A file by its SHA-256; the same bytes are stored once."""

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="attachments")
    sha256 = models.CharField(max_length=64)
    name = models.CharField(max_length=200)
    size = models.PositiveBigIntegerField("size in bytes")
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    uploaded_at = models.DateTimeField()
    scan = models.CharField(max_length=12, choices=ScanState.choices, default=ScanState.NOT_SCANNED)
    scan_note = models.CharField("what the scanner said", max_length=200, blank=True)
    erased_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("uploaded_at",)

    def __str__(self) -> str:
        return self.name


class Exhibit(models.Model):
    """One piece of evidence a person brought: a file, a link or a text, for one thing that asks for it.

    `subject` names that thing: `cleanup:repair-notes`, `action:3c-rebuild`, `gate:ci`.
    """

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="exhibits")
    subject = models.CharField(max_length=80)
    text = models.TextField(max_length=20_000, blank=True)
    link = models.URLField(max_length=1000, blank=True)
    attachment = models.ForeignKey(Attachment, models.PROTECT, null=True, related_name="exhibits")
    # Where it was taken from and when, as the person who brought it says.
    source = models.CharField(max_length=200, blank=True)
    collected_at = models.DateTimeField(null=True, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    added_at = models.DateTimeField()

    class Meta:
        ordering = ("added_at",)
        indexes: ClassVar = [models.Index(fields=["incident", "subject"], name="exhibit_subject")]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=~(models.Q(text="") & models.Q(link="") & models.Q(attachment=None)),
                name="exhibit_shows_something",
            )
        ]

    def __str__(self) -> str:
        return self.attachment.name if self.attachment else self.link or self.text[:80]

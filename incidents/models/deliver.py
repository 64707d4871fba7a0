from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from incidents.models.incident import Incident
from incidents.terms import Priority


class Review(models.Model):
    """The written part of the deliverables: what happened, why, and what was decided about gaps."""

    incident = models.OneToOneField(Incident, models.PROTECT, related_name="review")
    what_happened = models.TextField(max_length=20_000, blank=True)
    root_cause = models.TextField(max_length=20_000, blank=True)
    impact = models.TextField(max_length=20_000, blank=True)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    no_follow_ups_reason = models.CharField(max_length=500, blank=True)
    no_gaps_reason = models.CharField(max_length=500, blank=True)
    written_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"review of {self.incident}"


class FollowUp(models.Model):
    """A corrective action at bead level."""

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="follow_ups")
    number = models.PositiveSmallIntegerField()
    title = models.CharField(max_length=200)
    owner = models.CharField(max_length=120)
    priority = models.CharField(max_length=2, choices=Priority.choices)
    due_on = models.DateField()
    acceptance = models.TextField("acceptance criteria", max_length=4000)
    bead_id = models.CharField(max_length=128, blank=True)
    added_at = models.DateTimeField()

    class Meta:
        ordering = ("number",)
        constraints: ClassVar = [models.UniqueConstraint(fields=["incident", "number"], name="follow_up_number_once")]

    def __str__(self) -> str:
        return self.title


class Safeguard(models.Model):
    """An updated safeguard or runbook that a control gap asked for."""

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="safeguards")
    gap = models.CharField("control gap found", max_length=500)
    change = models.CharField("what was changed", max_length=500)
    link = models.URLField(max_length=1000, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    added_at = models.DateTimeField()

    class Meta:
        ordering = ("added_at",)

    def __str__(self) -> str:
        return self.change

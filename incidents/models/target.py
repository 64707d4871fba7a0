from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from incidents.models.incident import Incident
from incidents.terms import Aspect, Role, TargetKind


class Target(models.Model):
    """The last known good commit, build or deployment. A replaced target stays on record."""

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="targets")
    kind = models.CharField(max_length=12, choices=TargetKind.choices)
    identifier = models.CharField(max_length=200)
    reason = models.CharField("why this is the last known good", max_length=500)
    chosen_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    chosen_at = models.DateTimeField()
    replaced_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("chosen_at",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["incident"], condition=Q(replaced_at=None), name="one_current_target")
        ]

    def __str__(self) -> str:
        return f"{TargetKind(self.kind).label.lower()} {self.identifier}"


class Confirmation(models.Model):
    """The owning lead checked one aspect of a target."""

    target = models.ForeignKey(Target, models.PROTECT, related_name="confirmations")
    aspect = models.CharField(max_length=28, choices=Aspect.choices)
    note = models.CharField(max_length=500)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    role = models.CharField(max_length=24, choices=Role.choices)
    confirmed_at = models.DateTimeField()

    class Meta:
        ordering = ("confirmed_at",)
        constraints: ClassVar = [models.UniqueConstraint(fields=["target", "aspect"], name="aspect_confirmed_once")]

    def __str__(self) -> str:
        return f"{Aspect(self.aspect).label} of {self.target}"

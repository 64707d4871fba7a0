from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.urls import reverse

from incidents.models.product import Product
from incidents.models.runbook import RunbookVersion
from incidents.runbook import Runbook
from incidents.runbook.content import LevelText
from incidents.terms import Level, Phase, Role


class ReferenceCounter(models.Model):
    """The last number given out in a year; its row lock makes references gapless."""

    year = models.PositiveSmallIntegerField(primary_key=True)
    last = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"RB-{self.year}-{self.last:04d}"


class Incident(models.Model):
    """One rollback of one product, from declaration to closed or stood down."""

    reference = models.CharField(max_length=20, unique=True)
    product = models.ForeignKey(Product, models.PROTECT, related_name="incidents")
    runbook = models.ForeignKey(RunbookVersion, models.PROTECT, related_name="incidents")
    runbook_sha256 = models.CharField(max_length=64)
    phase = models.CharField(max_length=16, choices=Phase.choices, default=Phase.DECLARED)
    trigger = models.CharField(max_length=40)
    summary = models.CharField(max_length=500)
    scope_level = models.CharField(max_length=2, choices=Level.choices)
    drill = models.BooleanField(default=False)
    # Known to its people and to auditors alone; the freeze itself binds, and is told, as ever.
    need_to_know = models.BooleanField(default=False)
    declared_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    declared_at = models.DateTimeField()
    # Grows with every act that changes the delivered system; a gate's pass counts only for the number it ran at.
    change_number = models.PositiveIntegerField(default=0)
    changed_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-declared_at",)
        permissions: ClassVar = [(f"hold_{role.value}", f"Holds the role {role.label}") for role in Role]
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(phase__in=Phase.values), name="incident_phase_known"),
            models.CheckConstraint(condition=models.Q(scope_level__in=Level.values), name="incident_level_known"),
        ]

    def __str__(self) -> str:
        return self.reference

    def get_absolute_url(self) -> str:
        return reverse("incidents:war_room", args=[self.reference])

    @property
    def book(self) -> Runbook:
        """The runbook this incident was declared under."""
        return self.runbook.content

    @property
    def level(self) -> Level:
        return Level(self.scope_level)

    @property
    def level_text(self) -> LevelText:
        return self.book.levels[self.level]

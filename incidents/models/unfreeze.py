from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from incidents.models.incident import Incident
from incidents.terms import Role


class CycleOwner(models.Model):
    """Who owns one lead's area of work in the next cycle; it counts once that person accepted."""

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="cycle_owners")
    area = models.CharField(max_length=24, choices=Role.choices)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    named_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    named_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    replaced_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("named_at",)
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["incident", "area"], condition=Q(replaced_at=None), name="one_next_owner_an_area"
            )
        ]

    def __str__(self) -> str:
        return f"{self.user} for {Role(self.area).label}"

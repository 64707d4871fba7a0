from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from incidents.models.incident import Incident
from incidents.models.product import Environment, Product
from incidents.terms import Measure


class Freeze(models.Model):
    """The freeze one incident holds on its product, from the declare transaction on."""

    incident = models.OneToOneField(Incident, models.PROTECT, related_name="freeze")
    product = models.ForeignKey(Product, models.PROTECT, related_name="freezes")
    active = models.BooleanField(default=True)
    since = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["product"], condition=Q(active=True), name="one_active_freeze_a_product")
        ]

    def __str__(self) -> str:
        return f"freeze of {self.product} by {self.incident}"


class FreezeMeasure(models.Model):
    """One thing the freeze stops. Promotions and deploys stand once for each environment they lead to."""

    freeze = models.ForeignKey(Freeze, models.PROTECT, related_name="measures")
    measure = models.CharField(max_length=12, choices=Measure.choices)
    environment = models.ForeignKey(Environment, models.PROTECT, null=True, related_name="+")
    in_force = models.BooleanField(default=True)
    since = models.DateTimeField()
    lifted_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("id",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["freeze", "measure", "environment"], name="measure_once_an_environment"),
            models.UniqueConstraint(
                fields=["freeze", "measure"], condition=Q(environment=None), name="measure_once_a_product"
            ),
        ]

    def __str__(self) -> str:
        return f"{Measure(self.measure).label}{f' to {self.environment}' if self.environment_id else ''}"


class FreezeException(models.Model):
    """One named subject let through one measure, until it expires."""

    freeze = models.ForeignKey(Freeze, models.PROTECT, related_name="exceptions")
    measure = models.CharField(max_length=12, choices=Measure.choices)
    subject = models.CharField(max_length=200)
    environment = models.ForeignKey(Environment, models.PROTECT, null=True, related_name="+")
    reason = models.CharField(max_length=500)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    second = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    allowed_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("allowed_at",)

    def __str__(self) -> str:
        return f"{self.subject} through {Measure(self.measure).label.lower()}"

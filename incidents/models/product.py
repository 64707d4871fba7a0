from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models

from incidents.terms import Role


class Product(models.Model):
    """What is delivered and can be frozen."""

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=80)
    stability_seconds = models.PositiveIntegerField(
        default=1800, help_text="How long the target must stay unchanged before the freeze may be lifted."
    )
    cadence_minutes = models.PositiveIntegerField(
        default=30, validators=[MinValueValidator(1)], help_text="How often stakeholders get update B."
    )

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Environment(models.Model):
    """One place the product runs in; promotions go from one position to the next."""

    product = models.ForeignKey(Product, models.CASCADE, related_name="environments")
    name = models.SlugField(max_length=40)
    position = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ("position",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["product", "name"], name="environment_named_once"),
            models.UniqueConstraint(fields=["product", "position"], name="environment_position_once"),
        ]

    def __str__(self) -> str:
        return self.name


class RosterEntry(models.Model):
    """Who stands ready for a role of a product: rank 1 is asked at declaration, the next ranks are deputies."""

    product = models.ForeignKey(Product, models.CASCADE, related_name="roster")
    role = models.CharField(max_length=24, choices=Role.choices)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="roster")
    rank = models.PositiveSmallIntegerField(default=1)

    class Meta:
        ordering = ("role", "rank")
        verbose_name_plural = "roster"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["product", "role", "user"], name="roster_person_once_a_role"),
            models.UniqueConstraint(fields=["product", "role", "rank"], name="roster_rank_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user} · {Role(self.role).label} {self.rank}"

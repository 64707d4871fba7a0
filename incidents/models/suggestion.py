from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from incidents.models.incident import Incident
from incidents.models.product import Product
from incidents.terms import Source, SuggestionState


class Suggestion(models.Model):
    """What an outside system saw go wrong with a product, until a commander declares or dismisses it, or it expires.

    Its texts are what the outside system wrote: bounded and on one line, and never more than text.
    """

    product = models.ForeignKey(Product, models.PROTECT, related_name="suggestions")
    source = models.CharField(max_length=16, choices=Source.choices)
    # What the outside system calls the same thing again by, hashed.
    key = models.CharField(max_length=64)
    title = models.CharField(max_length=200)
    text = models.CharField(max_length=1000, blank=True)
    link = models.CharField(max_length=500, blank=True)
    trigger = models.CharField(max_length=40, blank=True)
    # Pairs of name and value, as they are shown.
    facts = models.JSONField(default=list)
    alerts = models.JSONField(default=list)
    count = models.PositiveIntegerField(default=1)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True)
    sent_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    token = models.CharField("name of the token", max_length=80)
    state = models.CharField(max_length=12, choices=SuggestionState.choices, default=SuggestionState.WAITING)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=500, blank=True)
    incident = models.ForeignKey(Incident, models.PROTECT, null=True, related_name="suggestions")

    class Meta:
        ordering = ("-last_seen_at",)
        indexes: ClassVar = [models.Index(fields=["state", "decided_at"], name="suggestion_by_state")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["product", "source", "key"],
                condition=Q(state=SuggestionState.WAITING),
                name="suggestion_waits_once",
            ),
            models.CheckConstraint(condition=Q(state__in=SuggestionState.values), name="suggestion_state_known"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_waiting(self) -> bool:
        return self.state == SuggestionState.WAITING

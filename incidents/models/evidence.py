from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q

from incidents.models.incident import Incident
from incidents.terms import Kind

ZERO = "0" * 64


class EvidenceChain(models.Model):
    """The head of one append-only log: an incident's, or the global one. Its row lock orders the entries."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    incident = models.OneToOneField(Incident, models.PROTECT, null=True, related_name="chain")
    seq = models.PositiveBigIntegerField(default=0)
    hash = models.CharField(max_length=64, default=ZERO)
    at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(models.Value(1), condition=Q(incident=None), name="one_global_chain")
        ]

    def __str__(self) -> str:
        return f"evidence of {self.incident}" if self.incident_id else "global evidence"


class EvidenceEntry(models.Model):
    """One line of the log. Triggers on both engines refuse every change of a written line."""

    chain = models.ForeignKey(EvidenceChain, models.PROTECT, related_name="entries")
    seq = models.PositiveBigIntegerField()
    at = models.DateTimeField()
    kind = models.CharField(max_length=40, choices=Kind.choices)
    actor = models.JSONField()
    body = models.JSONField()
    canonical = models.BinaryField()
    prev = models.CharField(max_length=64)
    hash = models.CharField(max_length=64, unique=True)

    class Meta:
        ordering = ("seq",)
        verbose_name_plural = "evidence entries"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["chain", "seq"], name="entry_seq_once"),
            models.UniqueConstraint(fields=["chain", "prev"], name="entry_prev_once"),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {Kind(self.kind).label}"

    @property
    def sentence(self) -> str:
        return str(self.body.get("sentence", ""))

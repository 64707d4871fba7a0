from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.fields.json import KeyTextTransform, KeyTransform
from django.db.models.functions import Cast

from incidents.models.incident import Incident
from incidents.terms import Kind

ZERO = "0" * 64


class EvidenceChain(models.Model):
    """The head of one append-only log: an incident's, the custody of its evidence, or the global one.

    Its row lock orders the entries; `prev` stands here so that one statement can move the head and insert the entry.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    incident = models.OneToOneField(Incident, models.PROTECT, null=True, related_name="chain")
    # Who took which evidence away, and when: apart from what happened, for reading is no act.
    custody_of = models.OneToOneField(Incident, models.PROTECT, null=True, related_name="custody")
    seq = models.PositiveBigIntegerField(default=0)
    prev = models.CharField(max_length=64, default=ZERO)
    hash = models.CharField(max_length=64, default=ZERO)
    at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                models.Value(1), condition=Q(incident=None, custody_of=None), name="one_global_chain"
            ),
            models.CheckConstraint(
                condition=Q(incident=None) | Q(custody_of=None), name="chain_records_acts_or_custody"
            ),
        ]

    def __str__(self) -> str:
        if self.custody_of_id:
            return f"custody of {self.custody_of}"
        return f"evidence of {self.incident}" if self.incident_id else "global evidence"


def _of_canonical(name: str, output: models.Field[Any, Any]) -> models.GeneratedField:
    """A column that the database reads out of the canonical text: what is shown is what was hashed."""
    read = KeyTextTransform if isinstance(output, models.CharField) else KeyTransform
    found = read(name, Cast("canonical", models.JSONField()))
    return models.GeneratedField(expression=found, output_field=output, db_persist=True)


class EvidenceEntry(models.Model):
    """One line of the log. Triggers on both engines refuse every change of a written line.

    `canonical` is the hashed text. What people read, the database takes from it; such a column cannot be written.
    """

    # Both are found by the constraints below, so that one more index would only slow down each append.
    chain = models.ForeignKey(EvidenceChain, models.PROTECT, related_name="entries", db_index=False)
    seq = models.PositiveBigIntegerField()
    at = models.DateTimeField()
    canonical = models.TextField()
    kind = _of_canonical("kind", models.CharField(max_length=40, choices=Kind.choices))
    actor = _of_canonical("actor", models.JSONField())
    body = _of_canonical("body", models.JSONField())
    prev = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        ordering = ("seq",)
        verbose_name_plural = "evidence entries"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["chain", "seq"], name="entry_seq_once"),
            models.UniqueConstraint(fields=["chain", "prev"], name="entry_prev_once"),
            models.UniqueConstraint(fields=["hash"], name="entry_hash_once"),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {Kind(self.kind).label}"

    @property
    def sentence(self) -> str:
        return str(self.body.get("sentence", ""))


class PrivateValue(models.Model):
    """A personal value that an entry holds a commitment to. It can be erased; the entry stays and still verifies."""

    chain = models.ForeignKey(EvidenceChain, models.PROTECT, related_name="private_values")
    seq = models.PositiveBigIntegerField("entry")
    path = models.CharField("which fact of the entry", max_length=40)
    salt = models.BinaryField(max_length=32)
    value = models.TextField()

    class Meta:
        ordering = ("seq", "path")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["chain", "seq", "path"], name="private_value_once"),
        ]

    def __str__(self) -> str:
        return f"{self.path} of entry {self.seq}"


class Checkpoint(models.Model):
    """A signed statement of a chain's size and root. Copies of `note` outside the database are the witnesses.

    `frontier` holds the roots of the complete subtrees (RFC 6962), largest first, 32 bytes each: from it the next
    root follows without the entries before.
    """

    chain = models.ForeignKey(EvidenceChain, models.PROTECT, related_name="checkpoints")
    size = models.PositiveBigIntegerField("entries")
    head = models.CharField("hash of the last entry", max_length=64)
    root = models.CharField(max_length=64)
    frontier = models.BinaryField()
    note = models.TextField()
    reason = models.CharField("signed at", max_length=40)
    signed_at = models.DateTimeField()

    class Meta:
        ordering = ("size",)
        constraints: ClassVar = [models.UniqueConstraint(fields=["chain", "size"], name="checkpoint_once_a_size")]

    def __str__(self) -> str:
        return f"checkpoint of {self.chain} at {self.size}"

"""What is said: who is told, what was told, and one row for each copy."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Count, Exists, Q

from incidents import lifecycle, policy
from incidents.models import Incident, Membership, Product
from incidents.terms import Act, NoticeKind


class Recipient(models.Model):
    """A stakeholder of a product who gets its updates."""

    product = models.ForeignKey(Product, models.CASCADE, related_name="recipients")
    name = models.CharField(max_length=120)
    email = models.EmailField()
    active = models.BooleanField(default=True)

    class Meta:
        ordering = ("name",)
        constraints: ClassVar = [models.UniqueConstraint(fields=["product", "email"], name="recipient_once")]

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>"


class NoticeState(models.TextChoices):
    DRAFT = "draft", "Draft"
    SENDING = "sending", "Sending"
    SENT = "sent", "Sent"
    FAILED = "failed", "Reached nobody"


# What may happen before a mail of this kind leaves; then nobody needs it.
OVERTAKEN = {
    NoticeKind.REMINDER: "the update was issued first",
    NoticeKind.UNKNOWN: "the outcome was settled first",
}
ISSUED = (NoticeState.SENDING, NoticeState.SENT, NoticeState.FAILED)


class NoticeQuerySet(models.QuerySet["Notice"]):
    def issued(self) -> NoticeQuerySet:
        """Those whose words are frozen, in the order of issue."""
        return self.filter(state__in=ISSUED).select_related("written_by").order_by("sequence")

    def with_copies(self) -> NoticeQuerySet:
        """Each with its copies, without their bytes."""
        return self.prefetch_related(models.Prefetch("deliveries", Delivery.objects.defer("content")))

    def counted(self) -> NoticeQuerySet:
        """Each with how many copies it has and how they stand: `copies`, `sent`, `under_way`, `failed`."""
        needed = ~Q(deliveries__answer__startswith=NOT_NEEDED)
        return self.annotate(
            copies=Count("deliveries", filter=needed),
            sent=Count("deliveries", filter=Q(deliveries__state=DeliveryState.SENT)),
            under_way=Count("deliveries", filter=Q(deliveries__state__in=OPEN_DELIVERY)),
            failed=Count("deliveries", filter=needed & Q(deliveries__state=DeliveryState.FAILED)),
        )

    def missed_by(self, user: Any) -> NoticeQuerySet:
        """Those that did not reach everyone, where this person can still send a copy again."""
        held = Membership.objects.filter(user=user, ended_at=None, role__in=policy.ROLES[Act.SEND_NOTICE])
        missed = Exists(Delivery.objects.missed().filter(notice=models.OuterRef("pk")))
        phases = lifecycle.ALLOWED[Act.SEND_NOTICE]
        return self.filter(missed, incident__in=held.values("incident"), incident__phase__in=phases)


class Notice(models.Model):
    """One update to stakeholders. A draft is edited in place; once issued its words are frozen."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    incident = models.ForeignKey(Incident, models.PROTECT, related_name="notices")
    kind = models.CharField(max_length=12, choices=NoticeKind.choices)
    state = models.CharField(max_length=8, choices=NoticeState.choices, default=NoticeState.DRAFT)
    subject = models.CharField(max_length=300)
    body = models.TextField(max_length=64_000)
    next_update_at = models.DateTimeField(null=True)
    written_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    written_at = models.DateTimeField()
    # Counts an incident's issued notices: X-Sequence, by which a reader puts copies in order.
    sequence = models.PositiveIntegerField(null=True)
    words_sha256 = models.CharField("SHA-256 of subject and body", max_length=64, blank=True)
    issued_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    rung_at = models.DateTimeField(null=True)
    # A cadence slot is unique: one reminder for one promised time, however many sweeps see it.
    slot = models.DateTimeField(null=True)
    # So is an entry of the log that people are told of.
    about = models.PositiveBigIntegerField("number of the entry that it tells of", null=True)

    objects = NoticeQuerySet.as_manager()

    class Meta:
        ordering = ("written_at",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["incident", "kind"], condition=Q(state="draft"), name="one_draft_a_kind"),
            models.UniqueConstraint(fields=["incident", "kind", "slot"], name="one_notice_a_slot"),
            models.UniqueConstraint(fields=["incident", "about"], name="one_notice_an_entry"),
            models.UniqueConstraint(fields=["incident", "sequence"], name="notice_sequence_once"),
            models.CheckConstraint(
                condition=Q(state="draft") | Q(issued_at__isnull=False, sequence__isnull=False),
                name="issued_notice_has_time_and_number",
            ),
        ]

    def __str__(self) -> str:
        return self.subject

    @property
    def name(self) -> str:
        """`Update A` for the runbook's three, the label for our own."""
        return f"Update {self.kind}" if len(self.kind) == 1 else str(NoticeKind(self.kind).label)

    @property
    def overtaken(self) -> str:
        """What happened where its copies were not sent, as what it says was not true any more."""
        return OVERTAKEN.get(NoticeKind(self.kind), "")


class DeliveryState(models.TextChoices):
    QUEUED = "queued", "Queued"
    SENDING = "sending", "Sending"
    SENT = "sent", "Sent"
    FAILED = "failed", "Failed"


OPEN_DELIVERY = (DeliveryState.QUEUED, DeliveryState.SENDING)
# How the answer of a failed copy begins that nobody waits for any more.
NOT_NEEDED = "Not needed: "


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def needed(self) -> DeliveryQuerySet:
        """Without those that another copy took the place of, or that had nothing true to say any more."""
        return self.exclude(answer__startswith=NOT_NEEDED)

    def missed(self) -> DeliveryQuerySet:
        """Failed, and the person it was for has got nothing in its place."""
        return self.needed().filter(state=DeliveryState.FAILED)


class Delivery(models.Model):
    """One recipient's copy: its bytes and Message-ID are frozen when it is queued."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    notice = models.ForeignKey(Notice, models.PROTECT, related_name="deliveries")
    name = models.CharField(max_length=120)
    email = models.CharField("mailbox", max_length=254)
    message_id = models.CharField(max_length=200, unique=True)
    content = models.BinaryField()
    sha256 = models.CharField(max_length=64)
    state = models.CharField(max_length=8, choices=DeliveryState.choices, default=DeliveryState.QUEUED)
    tries = models.PositiveSmallIntegerField(default=0)
    epoch = models.PositiveIntegerField(default=0)
    lease_owner = models.CharField(max_length=80, blank=True)
    lease_until = models.DateTimeField(null=True)
    not_before = models.DateTimeField()
    answer = models.CharField("what the mail server said", max_length=500, blank=True)
    sent_at = models.DateTimeField(null=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        ordering = ("name",)
        verbose_name_plural = "deliveries"
        indexes: ClassVar = [models.Index(fields=["state", "not_before"], name="delivery_due")]
        constraints: ClassVar = [models.UniqueConstraint(fields=["notice", "email"], name="one_copy_a_recipient")]

    def __str__(self) -> str:
        return f"{self.notice} to {self.email}"

    @property
    def is_needed(self) -> bool:
        """Whether somebody waits for this copy."""
        return not self.answer.startswith(NOT_NEEDED)

    @property
    def is_missed(self) -> bool:
        return self.state == DeliveryState.FAILED and self.is_needed


class ReportState(models.TextChoices):
    QUEUED = "queued", "Queued"
    RENDERING = "rendering", "Rendering"
    READY = "ready", "Ready"
    FAILED = "failed", "Failed"


class Report(models.Model):
    """The incident report as PDF, as the log stood at one entry."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    incident = models.ForeignKey(Incident, models.PROTECT, related_name="reports")
    evidence_seq = models.PositiveBigIntegerField()
    state = models.CharField(max_length=10, choices=ReportState.choices, default=ReportState.QUEUED)
    progress = models.CharField("what the renderer is doing", max_length=80, blank=True)
    asked_at = models.DateTimeField()
    rung_at = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=0)
    epoch = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    pages = models.PositiveIntegerField(default=0)
    size = models.PositiveIntegerField("size in bytes", default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    file = models.FileField(upload_to="reports/", max_length=200)
    problem = models.CharField(max_length=500, blank=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("asked_at",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["incident", "evidence_seq"], name="one_report_an_entry")
        ]

    def __str__(self) -> str:
        return f"report of {self.incident} at entry {self.evidence_seq}"

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from incidents.models.connector import Connector
from incidents.models.incident import Incident
from incidents.models.target import Target
from incidents.terms import AttemptState, BlockerKind, GateOutcome, Role

RUNNING = (AttemptState.QUEUED, AttemptState.LEASED, AttemptState.STARTED)


class Gate(models.Model):
    """One mandatory check of this incident."""

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="gates")
    key = models.CharField(max_length=40)
    name = models.CharField(max_length=200)
    owner = models.CharField(max_length=24, choices=Role.choices)
    allows_baseline_blocker = models.BooleanField(default=False)
    connector = models.ForeignKey(Connector, models.PROTECT, null=True, related_name="+")
    arguments = models.JSONField(default=dict)

    class Meta:
        ordering = ("id",)
        constraints: ClassVar = [models.UniqueConstraint(fields=["incident", "key"], name="gate_once")]

    def __str__(self) -> str:
        return self.name


class GateRun(models.Model):
    """One recorded outcome of a gate, for one target and one state of the system.

    `state` is the run's (queued → leased → started → succeeded or cancelled); `outcome` is what the check said.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    gate = models.ForeignKey(Gate, models.PROTECT, related_name="runs")
    target = models.ForeignKey(Target, models.PROTECT, related_name="+")
    change_number = models.PositiveIntegerField()
    state = models.CharField(max_length=12, choices=AttemptState.choices)
    outcome = models.CharField(max_length=8, choices=GateOutcome.choices, default=GateOutcome.NOT_RUN)
    sentence = models.CharField(max_length=1000, blank=True)
    output = models.TextField(blank=True)
    output_sha256 = models.CharField(max_length=64, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    recorded_at = models.DateTimeField(null=True)
    epoch = models.PositiveIntegerField(default=0)
    lease_owner = models.CharField(max_length=80, blank=True)
    lease_until = models.DateTimeField(null=True)
    rung_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("asked_at",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["gate"], condition=Q(state__in=RUNNING), name="one_gate_run_at_a_time")
        ]

    def __str__(self) -> str:
        return f"{self.gate}: {GateOutcome(self.outcome).label}"


class BaselineBlocker(models.Model):
    """A gate failure that is proven older than the cycle. It explains a failure; it is never a pass."""

    run = models.OneToOneField(GateRun, models.PROTECT, related_name="baseline_blocker")
    failing_step = models.CharField(max_length=200)
    kind = models.CharField(max_length=16, choices=BlockerKind.choices)
    proof = models.CharField("proof that it is older than the cycle", max_length=1000)
    not_executed = models.CharField("later steps not executed", max_length=1000)
    accepted_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    accepted_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{BlockerKind(self.kind).label} at {self.failing_step}"


class AcceptedRisk(models.Model):
    """The commander and a second person accept that one gate does not pass, for one state of the system."""

    gate = models.ForeignKey(Gate, models.PROTECT, related_name="accepted_risks")
    target = models.ForeignKey(Target, models.PROTECT, related_name="+")
    change_number = models.PositiveIntegerField()
    reason = models.CharField(max_length=500)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    second = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    accepted_at = models.DateTimeField()

    class Meta:
        ordering = ("accepted_at",)

    def __str__(self) -> str:
        return f"accepted risk at {self.gate}"

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from incidents.models.connector import Connector
from incidents.models.incident import Incident
from incidents.models.target import Target
from incidents.terms import ActionState, AttemptState, Role, Track

LIVE = (AttemptState.QUEUED, AttemptState.LEASED, AttemptState.STARTED, AttemptState.UNKNOWN)
HOLDING = (AttemptState.LEASED, AttemptState.STARTED, AttemptState.UNKNOWN)


class Action(models.Model):
    """One rollback step of the plan, owned by a role."""

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="actions")
    key = models.CharField(max_length=40)
    track = models.CharField(max_length=2, choices=Track.choices)
    name = models.CharField(max_length=200)
    owner = models.CharField(max_length=24, choices=Role.choices)
    stage = models.PositiveSmallIntegerField()
    destructive = models.BooleanField()
    changes_state = models.BooleanField()
    waivable = models.BooleanField("the owner may waive it alone", default=False)
    state = models.CharField(max_length=12, choices=ActionState.choices, default=ActionState.PLANNED)
    connector = models.ForeignKey(Connector, models.PROTECT, null=True, related_name="+")
    arguments = models.JSONField(default=dict)
    target_key = models.CharField(max_length=120)
    result = models.CharField("what came of it, in words", max_length=1000, blank=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("stage", "id")
        constraints: ClassVar = [models.UniqueConstraint(fields=["incident", "key"], name="action_key_once")]

    def __str__(self) -> str:
        return f"{self.track} {self.name}"

    @property
    def is_settled(self) -> bool:
        return self.state in (ActionState.SUCCEEDED, ActionState.WAIVED)


class Approval(models.Model):
    """A second person agreed to exactly what `digest` describes; an edit of the action voids it."""

    action = models.ForeignKey(Action, models.PROTECT, related_name="approvals")
    digest = models.CharField(max_length=64)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    approved_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        ordering = ("approved_at",)

    def __str__(self) -> str:
        return f"approval of {self.action}"


class Attempt(models.Model):
    """One try at running an action. Its id is the idempotency key; `started` is committed before a byte leaves."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    action = models.ForeignKey(Action, models.PROTECT, related_name="attempts")
    target = models.ForeignKey(Target, models.PROTECT, related_name="+")
    number = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=12, choices=AttemptState.choices, default=AttemptState.QUEUED)
    by_hand = models.BooleanField(default=False)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    approved_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    digest = models.CharField(max_length=64)
    target_key = models.CharField(max_length=120)
    epoch = models.PositiveIntegerField(default=0)
    fence = models.PositiveIntegerField(default=0)
    lease_owner = models.CharField(max_length=80, blank=True)
    lease_until = models.DateTimeField(null=True)
    queued_at = models.DateTimeField()
    not_before = models.DateTimeField(null=True)
    rung_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    sentence = models.CharField(max_length=1000, blank=True)
    detail = models.JSONField(default=dict)
    output = models.TextField(blank=True)
    output_dropped = models.PositiveBigIntegerField(default=0)
    output_sha256 = models.CharField(max_length=64, blank=True)
    remote_ref = models.CharField(max_length=200, blank=True)
    # Where the outside system runs it on: a started attempt with `poll_at` is followed by whichever worker comes next.
    remote = models.JSONField("what following it needs", default=dict)
    poll_at = models.DateTimeField("next look at the outside system", null=True)

    class Meta:
        ordering = ("number",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["action", "number"], name="attempt_number_once"),
            models.UniqueConstraint(fields=["action"], condition=Q(state__in=LIVE), name="one_live_attempt"),
            models.UniqueConstraint(
                fields=["target_key"],
                condition=Q(state__in=HOLDING) & Q(by_hand=False),
                name="one_attempt_a_target",
            ),
        ]

    def __str__(self) -> str:
        return f"attempt {self.number} of {self.action}"


class Rehearsal(models.Model):
    """A dry run: the outside system says what an action would do, and does nothing."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    action = models.ForeignKey(Action, models.PROTECT, related_name="rehearsals")
    target = models.ForeignKey(Target, models.PROTECT, related_name="+")
    digest = models.CharField(max_length=64)
    state = models.CharField(max_length=12, choices=AttemptState.choices, default=AttemptState.QUEUED)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    rung_at = models.DateTimeField(null=True)
    epoch = models.PositiveIntegerField(default=0)
    lease_owner = models.CharField(max_length=80, blank=True)
    lease_until = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    sentence = models.CharField(max_length=1000, blank=True)
    output = models.TextField(blank=True)
    output_dropped = models.PositiveBigIntegerField(default=0)
    output_sha256 = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ("asked_at",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["action"], condition=Q(state__in=LIVE[:3]), name="one_rehearsal_at_a_time")
        ]

    def __str__(self) -> str:
        return f"dry run of {self.action}"


class CallbackReceipt(models.Model):
    """A signed message of an outside system about one of our attempts that was taken in; the same one counts once."""

    message_id = models.CharField(max_length=200, primary_key=True)
    attempt = models.ForeignKey(Attempt, models.PROTECT, related_name="callbacks")
    received_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.message_id


class DispatchStop(models.Model):
    """The kill switch: while a row is in force no action starts, whatever is queued."""

    reason = models.CharField(max_length=500)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    stopped_at = models.DateTimeField()
    lifted_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    lifted_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("stopped_at",)
        constraints: ClassVar = [
            models.UniqueConstraint(models.Value(1), condition=Q(lifted_at=None), name="one_dispatch_stop_in_force")
        ]

    def __str__(self) -> str:
        return f"dispatch stopped: {self.reason}"


class TargetFence(models.Model):
    """A number per outside target that only grows: a receiver can refuse a late, older act."""

    target_key = models.CharField(max_length=120, primary_key=True)
    value = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.target_key} at {self.value}"


class WorkerBeat(models.Model):
    """The last sign of life of one worker process, by the database clock."""

    name = models.CharField(max_length=80, primary_key=True)
    seen_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name

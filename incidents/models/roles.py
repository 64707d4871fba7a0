from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from guardian.models import UserObjectPermissionBase

from incidents.models.incident import Incident
from incidents.terms import Role


class Membership(models.Model):
    """One person in one role of one incident. Rows end, they are never deleted; this table is the truth of rights."""

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=24, choices=Role.choices)
    assigned_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    assigned_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    end_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ("assigned_at",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["incident", "role"], condition=Q(ended_at=None), name="one_holder_a_role"),
        ]

    def __str__(self) -> str:
        return f"{self.user} as {Role(self.role).label}"

    @property
    def is_accepted(self) -> bool:
        return self.accepted_at is not None


class IncidentUserObjectPermission(UserObjectPermissionBase):
    """guardian's rows for an incident, projected from memberships in the same transaction."""

    content_object = models.ForeignKey(Incident, on_delete=models.CASCADE)


class AuditGrant(models.Model):
    """Lets one person read everything and change nothing, until it expires."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="audit_grants")
    reason = models.CharField(max_length=200)
    granted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, editable=False, related_name="+"
    )
    expires_at = models.DateTimeField()

    class Meta:
        ordering = ("expires_at",)

    def __str__(self) -> str:
        return f"{self.user} until {self.expires_at:%Y-%m-%d}"


class Proposal(models.Model):
    """An act that waits for a second person. It runs, unchanged, when that person confirms it."""

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="proposals")
    act = models.CharField(max_length=24)
    sentence = models.CharField(max_length=600)
    arguments = models.JSONField()
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    confirmed = models.BooleanField(null=True)
    decision_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ("proposed_at",)

    def __str__(self) -> str:
        return self.sentence

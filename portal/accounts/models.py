"""Who signs in, and what signs in for a pipeline."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models, transaction
from django.utils import timezone

from portal.accounts import token as form
from portal.accounts.token import digest_of

TOKEN_DAYS = 90
LONGEST_DAYS = 365


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Someone who may open the admin, made at the command line: the global log says so."""
        from incidents import configuration

        with transaction.atomic(using=self._db):
            user = self.create_user(email, password, is_staff=True, is_superuser=True, **fields)
            configuration.record_row(user, by=None)
        return user


class User(AbstractBaseUser, PermissionsMixin):
    """One person. Evidence names people by `public_id`, so that a name can be changed or erased later."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120)
    is_staff = models.BooleanField("may open the admin", default=False)
    is_active = models.BooleanField("may sign in", default=True)
    joined_at = models.DateTimeField(default=timezone.now, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def get_full_name(self) -> str:
        return self.name

    def get_short_name(self) -> str:
        return self.name.split(" ")[0]


class Scope(models.TextChoices):
    """What a token may do, the least first. `act` is further bounded by the roles its person holds in the incident."""

    CHECK = "check", "Ask the freeze gate"
    SUGGEST = "suggest", "Suggest declarations"
    READ = "read", "Read incidents"
    ACT = "act", "Act in the person's roles"


class ApiToken(models.Model):
    """A bearer token of one person, for an incident, a product or all; only its SHA-256 is stored."""

    name = models.CharField(max_length=80)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="tokens")
    product = models.ForeignKey("incidents.Product", models.CASCADE, null=True, blank=True, related_name="+")
    incident = models.ForeignKey("incidents.Incident", models.CASCADE, null=True, blank=True, related_name="+")
    scopes = models.JSONField(default=list)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    hint = models.CharField(max_length=24, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    # To within `auth.NOTED_EVERY`: a check of the freeze gate must not wait for a write.
    last_used_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.name} ({self.hint})"

    @classmethod
    def issue(cls, user: User, *, name: str, scopes: list[str], **fields: Any) -> tuple[ApiToken, str]:
        """Make a token and return it with its secret, which is shown this once.

        Raises:
            ValueError: it would live longer than a year.
        """
        now = timezone.now()
        fields.setdefault("expires_at", now + timedelta(days=TOKEN_DAYS))
        if fields["expires_at"] > now + timedelta(days=LONGEST_DAYS):
            raise ValueError(f"A token lives at most {LONGEST_DAYS} days.")
        if incident := fields.get("incident"):
            fields["product"] = incident.product
        kind = [scope.value for scope in Scope if scope in scopes or scope == Scope.CHECK][-1]
        secret = form.make(kind)
        hint = f"{form.PREFIX}{kind}_…{secret[-4:]}"
        token = cls.objects.create(
            user=user, name=name, scopes=scopes, digest=digest_of(secret), hint=hint, created_at=now, **fields
        )
        return token, secret

    def is_live(self) -> bool:
        return self.revoked_at is None and self.expires_at > timezone.now() and self.user.is_active


class Try(models.Model):
    """One try at a password or a code that was not right, for a quarter of an hour; whose it was stands nowhere."""

    bucket = models.CharField(max_length=64, db_index=True)
    at = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return f"{self.bucket[:8]}… at {self.at:%H:%M:%S}"

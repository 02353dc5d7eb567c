"""People, the credentials they come in with, and the attempts that failed.

Invariant: a user's time zone is one that the IANA database knows; no two names look alike. No secret is
kept: a password, a personal token and a ticket are kept as hashes, and of a refresh token only its id.
"""

import hashlib
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from apps.calendar.zones import UnknownTimeZone, zone

MAX_TOKEN_NAME_LENGTH = 100
MAX_USERNAME_LENGTH = 150
# Folding makes at most three characters of one.
_MAX_LOOK_LENGTH = 3 * MAX_USERNAME_LENGTH


def validate_time_zone(name: str) -> None:
    """Raises `ValidationError` for a name that the IANA time zone database does not know."""
    try:
        zone(name)
    except UnknownTimeZone as reason:
        raise ValidationError(str(reason)) from reason


def look_of(username: str) -> str:
    """What names that look alike have in common: without capitals, in one way of encoding (UAX #15, NFKC; folded)."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", username).casefold())


class User(AbstractUser):
    """A person. `time_zone` is where their wall clock hangs.

    `look` is what nobody else's name may look like. It is null for who had such a name before it was asked.
    `deactivations` is how often they were put out: a browser's session from before is over. With `erased_at` set
    nobody is behind the row any more: it is what the ids in the trail point to, and the database keeps it empty.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    time_zone = models.CharField(max_length=64, default="UTC", validators=[validate_time_zone])
    look = models.CharField(max_length=_MAX_LOOK_LENGTH, unique=True, null=True, editable=False)
    deactivations = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    erased_at = models.DateTimeField(null=True, editable=False)

    class Meta(AbstractUser.Meta):
        constraints = [
            models.CheckConstraint(
                condition=models.Q(erased_at=None)
                | models.Q(
                    is_active=False,
                    is_staff=False,
                    is_superuser=False,
                    email="",
                    first_name="",
                    last_name="",
                    time_zone="UTC",
                    last_login=None,
                    username__startswith="erased-",
                    password__startswith="!",  # noqa: S106 - what an unusable one begins with
                ),
                name="erased_person_is_nobody",
            )
        ]

    def save(self, *, update_fields: Iterable[str] | None = None, **more: Any) -> None:
        if update_fields is None or "username" in update_fields:
            self.look = look_of(self.username)
            update_fields = None if update_fields is None else {*update_fields, "look"}
        super().save(update_fields=update_fields, **more)

    def clean(self) -> None:
        """For forms: who changes a name hears that it is taken."""
        super().clean()
        if User.objects.filter(look=look_of(self.username)).exclude(pk=self.pk).exists():
            raise ValidationError({"username": "Somebody has this username already. Choose another."})

    def get_session_auth_hash(self) -> str:
        return self._since_let_in(super().get_session_auth_hash())

    def get_session_auth_fallback_hash(self) -> Iterator[str]:
        return map(self._since_let_in, super().get_session_auth_fallback_hash())

    def _since_let_in(self, text: str) -> str:
        return f"{text}.{self.deactivations}" if self.deactivations else text

    @property
    def password_mark(self) -> str:
        """Changes whenever the password does, and tells nothing of it."""
        return hashlib.sha256(self.password.encode()).hexdigest()


class SignIn(models.Model):
    """One sign-in at the API and the refresh tokens that follow from it, of which one at a time is good.

    Its id is the `family` claim of every token of the sign-in. `token_id` is the `jti` of the refresh token that
    may be exchanged next; any other one of the family has been exchanged before. `password_mark` is the mark of
    the password it began with: with another password it is over.
    """

    class Ended(models.TextChoices):
        SIGNED_OUT = "signed_out"
        TOKEN_REUSED = "token_reused"  # noqa: S105 - a reason
        PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a reason
        DEACTIVATED = "deactivated"
        BY_ADMIN = "by_admin", "by an administrator"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sign_ins")
    token_id = models.UUIDField()
    password_mark = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    refreshed_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)
    ended_at = models.DateTimeField(null=True)
    ended_because = models.CharField(max_length=20, choices=Ended, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = "sign-in"

    def __str__(self) -> str:
        return f"sign-in {self.pk}"

    @property
    def holds(self) -> bool:
        """Whether its tokens still open the door. Needs `user`."""
        return self.ended_at is None and self.user.is_active and self.password_mark == self.user.password_mark


class PersonalToken(models.Model):
    """A key a person gives to a script. `prefix` is its beginning, to tell one from another; the rest is a hash."""

    class Scope(models.TextChoices):
        READ = "read"
        WRITE = "write"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="personal_tokens")
    name = models.CharField(max_length=MAX_TOKEN_NAME_LENGTH)
    prefix = models.CharField(max_length=20)
    digest = models.CharField(max_length=64, unique=True)
    scopes = ArrayField(models.CharField(max_length=10, choices=Scope), help_text="`write` includes `read`.")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, help_text="To the hour.")
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def may_write(self) -> bool:
        return self.Scope.WRITE in self.scopes

    def is_live(self, now: datetime) -> bool:
        return self.revoked_at is None and self.expires_at > now


class SocketTicket(models.Model):
    """Opens one socket, once, within seconds; deleted when it does."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"ticket {self.pk}"


class FailedSignIns(models.Model):
    """Attempts that failed for a username from an address, or (with no username) from an address altogether.

    All instants are the database's. `forgotten_at` is when the row stops counting and may go.
    """

    username = models.CharField(max_length=150, blank=True)
    address = models.CharField(max_length=64)
    failures = models.PositiveIntegerField()
    first_failed_at = models.DateTimeField(db_default=Now())
    held_until = models.DateTimeField(db_default=Now())
    forgotten_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name_plural = "failed sign-ins"
        constraints = [models.UniqueConstraint(fields=["username", "address"], name="failed_sign_ins_once")]

    def __str__(self) -> str:
        return f"{self.username or 'anybody'} from {self.address}"

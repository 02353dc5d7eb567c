"""Browsers that are pushed to, and the key that says it is us."""

from django.conf import settings
from django.db import models
from uuid_utils.compat import uuid7

MAX_ENDPOINT_LENGTH = 2000


class PushSubscription(models.Model):
    """A browser, as it introduced itself. `digest` tells one endpoint from another; `auth` is sealed."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False)
    endpoint = models.CharField(max_length=MAX_ENDPOINT_LENGTH)
    digest = models.CharField(max_length=64, unique=True)
    p256dh = models.CharField(max_length=120)
    auth = models.BinaryField()
    label = models.CharField(max_length=200, blank=True, default="")
    failures = models.PositiveIntegerField(default=0, help_text="In a row.")
    created_at = models.DateTimeField()
    succeeded_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["owner", "id"], name="subscription_of_owner")]

    def __str__(self) -> str:
        return self.label or f"subscription {self.pk}"


class VapidKey(models.Model):
    """The one pair of the installation: RFC 8292. The private part is sealed."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    private = models.BinaryField()
    public = models.CharField(max_length=120)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="vapid_key_only_one")]

    def __str__(self) -> str:
        return self.public

"""Addresses of other systems that are told what a person is told."""

from django.conf import settings
from django.db import models
from uuid_utils.compat import uuid7

MAX_URL_LENGTH = 2000


class WebhookEndpoint(models.Model):
    """Secrets are sealed; after a rotation the one before signs too, until `previous_secret_until`.

    `failing` is one that we switched off after it had failed for long.
    """

    class Status(models.TextChoices):
        ENABLED = "enabled"
        DISABLED = "disabled"
        FAILING = "failing"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False)
    url = models.CharField(max_length=MAX_URL_LENGTH)
    description = models.CharField(max_length=200, blank=True, default="")
    secret = models.BinaryField()
    previous_secret = models.BinaryField(null=True)
    previous_secret_until = models.DateTimeField(null=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.ENABLED)
    disabled_at = models.DateTimeField(null=True)
    disabled_because = models.TextField(blank=True, default="")
    failing_since = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0, help_text="In a row.")
    succeeded_at = models.DateTimeField(null=True)
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["owner", "id"], name="endpoint_of_owner")]

    def __str__(self) -> str:
        return self.url

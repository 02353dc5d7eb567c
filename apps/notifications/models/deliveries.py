"""What goes out to people, and every attempt at it."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from uuid_utils.compat import uuid7

from apps.notifications.kinds import Kind
from apps.notifications.models.notifications import Notification


class Delivery(models.Model):
    """One or more notifications on their way through one transport to one destination, as one.

    `id` is the idempotency key of every attempt. It is a job that is a row: `collecting` takes further notifications in
    until `send_at`; then it is claimed (`sending`, until `lease_until`, with a new `fence`), and is `delivered`,
    `failed`, or `waiting` for the next attempt at `send_at`. `held` waits until its destination is there again,
    `dropped` had nothing left to tell. `content` is what is sent, the same in every attempt.
    """

    class Status(models.TextChoices):
        COLLECTING = "collecting"
        WAITING = "waiting"
        SENDING = "sending"
        DELIVERED = "delivered"
        FAILED = "failed"
        HELD = "held"
        DROPPED = "dropped"

    # What is claimed when its time comes.
    TO_COME = (Status.COLLECTING, Status.WAITING)

    class Kinds(models.TextChoices):
        REMINDER = Kind.REMINDER.value
        OVERDUE = Kind.OVERDUE.value
        DIGEST = Kind.DIGEST.value
        NOTICE = Kind.NOTICE.value
        # What quiet hours collect, of whatever kinds.
        SEVERAL = "several"
        TEST = "test"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False)
    transport = models.CharField(max_length=20)
    destination = models.CharField(max_length=64, blank=True, default="", help_text="Empty: the person.")
    kind = models.CharField(max_length=10, choices=Kinds)
    status = models.CharField(max_length=10, choices=Status, default=Status.COLLECTING)
    urgent = models.BooleanField(default=False)
    held_quiet = models.BooleanField(default=False, help_text="Held by quiet hours, until they end.")
    send_at = models.DateTimeField(help_text="Not before.")
    lease_until = models.DateTimeField(null=True)
    fence = models.PositiveIntegerField(default=0, help_text="Counts the claims: an older one changes nothing.")
    attempts = models.PositiveIntegerField(default=0)
    content: Any = models.JSONField(null=True)
    error = models.TextField(blank=True, default="")
    because = models.CharField(max_length=40, blank=True, default="")
    redelivery_of = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="+", db_index=False)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    notifications: Any = models.ManyToManyField(Notification, through="DeliveryItem", related_name="deliveries")

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "transport", "destination", "held_quiet"],
                condition=Q(status="collecting", urgent=False),
                name="delivery_collecting_once",
            )
        ]
        indexes = [
            models.Index(
                fields=["transport", "send_at", "id"],
                condition=Q(status__in=["collecting", "waiting"]),
                name="delivery_to_send",
            ),
            models.Index(fields=["lease_until"], condition=Q(status="sending"), name="delivery_being_sent"),
            models.Index(fields=["owner", "id"], name="delivery_of_owner"),
            models.Index(fields=["owner", "transport", "destination", "id"], name="delivery_to_destination"),
            models.Index(
                fields=["owner", "transport", "destination", "finished_at"],
                condition=Q(status__in=["delivered", "failed"]),
                name="delivery_outcome",
            ),
            models.Index(
                fields=["owner", "transport", "destination"],
                condition=Q(status="waiting", attempts__gt=0),
                name="delivery_tried_again",
            ),
            models.Index(fields=["destination", "id"], condition=Q(status="held"), name="delivery_held"),
            models.Index(fields=["id"], condition=Q(status="failed"), name="delivery_failed"),
            models.Index(
                fields=["owner", "status", "transport", "destination", "id"],
                condition=~Q(status="delivered"),
                name="delivery_not_delivered",
            ),
            models.Index(fields=["finished_at"], condition=~Q(finished_at=None), name="delivery_by_age"),
            models.Index(
                fields=["finished_at"],
                condition=Q(finished_at__isnull=False, content__isnull=False),
                name="delivery_with_content",
            ),
            models.Index(fields=["redelivery_of"], condition=Q(redelivery_of__isnull=False), name="delivery_sent_anew"),
        ]

    def __str__(self) -> str:
        return f"{self.transport} {self.pk}"


class DeliveryItem(models.Model):
    """A notification in a delivery."""

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="items", db_index=False)
    notification = models.ForeignKey(Notification, on_delete=models.CASCADE, related_name="items")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["delivery", "notification"], name="delivery_item_once")]

    def __str__(self) -> str:
        return f"item {self.pk}"


class DeliveryAttempt(models.Model):
    """One try, counted before it began. `died`: nobody knows whether it arrived."""

    class Outcome(models.TextChoices):
        STARTED = "started"
        DELIVERED = "delivered"
        RETRY = "retry", "failed, to be tried again"
        REFUSED = "refused"
        DIED = "died", "the sender died on the way"

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="tries", db_index=False)
    number = models.PositiveIntegerField()
    fence = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=10, choices=Outcome, default=Outcome.STARTED)
    error = models.TextField(blank=True, default="")
    request: Any = models.JSONField(default=dict)
    response: Any = models.JSONField(default=dict)
    seconds = models.FloatField(null=True)

    class Meta:
        ordering = ["delivery", "number"]
        constraints = [models.UniqueConstraint(fields=["delivery", "number"], name="attempt_once_per_number")]

    def __str__(self) -> str:
        return f"attempt {self.number}"

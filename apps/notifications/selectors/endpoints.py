"""Reads of where people are reached beside their inbox and their address."""

from django.db.models import QuerySet

from apps.accounts.models import User
from apps.notifications.models import Delivery, PushSubscription, WebhookEndpoint
from apps.notifications.selectors.whose import owned_by


def endpoints_of(*, owner: User) -> QuerySet[WebhookEndpoint]:
    """Without their secrets, which nobody reads here."""
    found: QuerySet[WebhookEndpoint] = owned_by(WebhookEndpoint.objects.defer("secret", "previous_secret"), owner)
    return found


def subscriptions_of(*, owner: User) -> QuerySet[PushSubscription]:
    found: QuerySet[PushSubscription] = owned_by(PushSubscription.objects.defer("auth"), owner)
    return found


def deliveries_to(endpoint: WebhookEndpoint) -> QuerySet[Delivery]:
    """What went to an endpoint, or is to go there."""
    # All columns of the index that comes before the id.
    of_owner = Delivery.objects.filter(owner_id=endpoint.owner_id, transport="webhook", destination=str(endpoint.pk))
    return of_owner.select_related("owner")

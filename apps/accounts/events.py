"""The contract of the accounts app: the facts it publishes. Their data is described in `apps/events/schemas/`."""

from apps.events.event_types import ERASING_TYPE, declare

TOPIC = "account-events"


class AccountEvent:
    ERASED = declare(ERASING_TYPE, topic=TOPIC)
    TIME_ZONE_CHANGED = declare("account.time_zone_changed.v1", topic=TOPIC)

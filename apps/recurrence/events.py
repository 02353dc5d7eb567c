"""The contract of the recurrence app: the facts it publishes. Their data is described in `apps/events/schemas/`."""

from apps.events.event_types import declare

TOPIC = "recurrence-events"


class RecurrenceEvent:
    GENERATED = declare("recurrence.generated.v1", topic=TOPIC)
    SKIPPED = declare("recurrence.skipped.v1", topic=TOPIC)
    ENDED = declare("recurrence.ended.v1", topic=TOPIC)
    CHANGED = declare("recurrence.changed.v1", topic=TOPIC)

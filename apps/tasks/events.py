"""The contract of the tasks app: the facts it publishes. Their data is described in `apps/events/schemas/`."""

from apps.events.event_types import declare

TOPIC = "task-events"


class TaskEvent:
    CREATED = declare("task.created.v1", topic=TOPIC)
    UPDATED = declare("task.updated.v1", topic=TOPIC)
    COMPLETED = declare("task.completed.v1", topic=TOPIC)
    REOPENED = declare("task.reopened.v1", topic=TOPIC)
    DELETED = declare("task.deleted.v1", topic=TOPIC)
    RESTORED = declare("task.restored.v1", topic=TOPIC)

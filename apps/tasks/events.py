"""The contract of the tasks app: the facts it publishes. Their data is described in `apps/events/schemas/`.

Snapshots are no facts: each tells the state a fact led to, for screens, and is caused by that fact.
"""

from apps.events.event_types import declare

TOPIC = "task-events"
UPDATES_TOPIC = "task-updates"


class TaskEvent:
    CREATED = declare("task.created.v1", topic=TOPIC)
    UPDATED = declare("task.updated.v1", topic=TOPIC)
    COMPLETED = declare("task.completed.v1", topic=TOPIC)
    REOPENED = declare("task.reopened.v1", topic=TOPIC)
    DELETED = declare("task.deleted.v1", topic=TOPIC)
    RESTORED = declare("task.restored.v1", topic=TOPIC)
    PURGED = declare("task.purged.v1", topic=TOPIC)
    SNAPSHOT = declare("task.snapshot.v1", topic=UPDATES_TOPIC, snapshot=True)


class ListEvent:
    CREATED = declare("list.created.v1", topic=TOPIC)
    UPDATED = declare("list.updated.v1", topic=TOPIC)
    DELETED = declare("list.deleted.v1", topic=TOPIC)
    SNAPSHOT = declare("list.snapshot.v1", topic=UPDATES_TOPIC, snapshot=True)


class TagEvent:
    CREATED = declare("tag.created.v1", topic=TOPIC)
    UPDATED = declare("tag.updated.v1", topic=TOPIC)
    DELETED = declare("tag.deleted.v1", topic=TOPIC)
    SNAPSHOT = declare("tag.snapshot.v1", topic=UPDATES_TOPIC, snapshot=True)

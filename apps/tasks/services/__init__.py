"""The only writers of tasks, lists and tags.

Each service is one transaction: lock, check, change (version + 1), announce. The signal is sent inside the
transaction; its receiver appends the events there.
"""

from apps.tasks.services.bulk import ItemResult, change_many
from apps.tasks.services.changes import take_turn
from apps.tasks.services.copies import duplicate_task
from apps.tasks.services.deletion import SeriesOfDeleted, delete_task, restore_task
from apps.tasks.services.lists import create_list, delete_list, update_list
from apps.tasks.services.occurrences import create_occurrence, move_occurrence
from apps.tasks.services.purge import purge_deleted_tasks, purge_owner
from apps.tasks.services.reminders import add_reminder, move_reminder, remove_reminder
from apps.tasks.services.tags import create_tag, delete_tag, update_tag
from apps.tasks.services.tasks import (
    complete_task,
    create_task,
    reopen_task,
    snooze_task,
    tag_task,
    update_task,
)

__all__ = [
    "ItemResult",
    "SeriesOfDeleted",
    "add_reminder",
    "change_many",
    "complete_task",
    "create_list",
    "create_occurrence",
    "create_tag",
    "create_task",
    "delete_list",
    "delete_tag",
    "delete_task",
    "duplicate_task",
    "move_occurrence",
    "move_reminder",
    "purge_deleted_tasks",
    "purge_owner",
    "remove_reminder",
    "reopen_task",
    "restore_task",
    "snooze_task",
    "tag_task",
    "take_turn",
    "update_list",
    "update_tag",
    "update_task",
]

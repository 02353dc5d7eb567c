"""What happens to tasks, lists and tags, in the past tense: sent by the services inside the transaction of the change.

Each carries the thing (`task`, `list` or `tag`, as it now is), `actor`, `occurred_at`, `changes` (per field its value
before and after), `cause` (the event that led to this one, `None` when the person's command did) and `beside` (what the
event tells of the command itself). The one receiver answers with the event it appended.
"""

from django.dispatch import Signal

task_created = Signal()
task_updated = Signal()
task_completed = Signal()
task_reopened = Signal()
task_deleted = Signal()
task_restored = Signal()
task_purged = Signal()

list_created = Signal()
list_updated = Signal()
list_deleted = Signal()

tag_created = Signal()
tag_updated = Signal()
tag_deleted = Signal()

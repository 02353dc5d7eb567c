"""What happens to tasks, in the past tense: sent by the services inside the transaction of the change.

Each carries `task` (as it now is), `actor`, `occurred_at`, and `changes`: per field its value before and after.
"""

from django.dispatch import Signal

task_created = Signal()
task_updated = Signal()
task_completed = Signal()
task_reopened = Signal()
task_deleted = Signal()
task_restored = Signal()

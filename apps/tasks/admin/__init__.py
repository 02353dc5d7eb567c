"""Tasks, lists and tags in the admin.

Invariant: what is done here is done by `apps.tasks.services`, so every change is an event; and no page asks the
database a question that grows with the number of people.

The answers kept for Idempotency-Keys are not shown: they hold what people wrote, and nobody has to look after them.
"""

from apps.tasks.admin.lists import TaskListAdmin
from apps.tasks.admin.tags import TagAdmin
from apps.tasks.admin.tasks import TaskAdmin

__all__ = ["TagAdmin", "TaskAdmin", "TaskListAdmin"]

"""A writer outside the system under test that notes every operation before and after it.

`python -m tests.faults.journal FILE PREFIX COUNT` creates tasks and moves each through its life. A line
`begin TITLE` without a `done TITLE` after it is an operation whose outcome is unknown.
"""

import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True)
class Entry:
    title: str
    outcome: str


def read(path: Path) -> list[Entry]:
    """`ok` for what was acknowledged, `failed` for what was refused, `unknown` for the rest."""
    outcomes: dict[str, str] = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        word, _, title = line.partition(" ")
        outcomes[title] = {"begin": "unknown", "done": "ok", "refused": "failed"}[word]
    return [Entry(title, outcome) for title, outcome in outcomes.items()]


def write(path: Path, *, prefix: str, count: int) -> None:
    """Create `count` tasks, each taken through six versions but the last ones that a fault may cut short."""
    from apps.accounts.models import User
    from apps.tasks import services

    owner, _ = User.objects.get_or_create(username="journal")
    with path.open("a", buffering=1) as journal:
        for number in range(count):
            title = f"{prefix}-{number}"
            now = datetime.now(UTC)
            journal.write(f"begin {title}\n")
            task = services.create_task(owner=owner, actor=owner, title=title, now=now)
            journal.write(f"done {title}\n")
            services.update_task(task_id=task.pk, actor=owner, changes={"priority": "high"}, now=now)
            services.complete_task(task_id=task.pk, actor=owner, now=now)
            services.reopen_task(task_id=task.pk, actor=owner, now=now)
            services.delete_task(task_id=task.pk, actor=owner, now=now)
            services.restore_task(task_id=task.pk, actor=owner, now=now)


if __name__ == "__main__":
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "todo_project.settings.base")
    django.setup()
    write(Path(sys.argv[1]), prefix=sys.argv[2], count=int(sys.argv[3]))

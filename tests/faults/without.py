"""Runs a role with some of its cures switched off, for the negative controls.

`python -m tests.faults.without CURE[+CURE] -m MODULE WORDS…` or `… FILE WORDS…`, as python itself is called.
"""

import os
import runpy
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any


def offsets_after_commit() -> None:
    """Offsets are stored, and sent, before what they stand for is handled."""
    from apps.events.brokers.base import Record
    from apps.events.consumer import GroupConsumer
    from apps.events.handling import Outcome

    handle: Callable[..., Outcome] = GroupConsumer.handle_records

    def store_and_handle(self: Any, records: Sequence[Record]) -> Outcome:
        self.consumer.store(records)
        self.consumer.client.commit(asynchronous=False)
        return handle(self, records)

    GroupConsumer.handle_records = store_and_handle  # type: ignore[method-assign]


def reconcile() -> None:
    """What a group lost on the way is not looked for."""
    from apps.events import reconcile
    from apps.events.reconcile import Repair

    reconcile.run = lambda *_, **__: Repair(settled=True)


def leaving() -> None:
    """Who is told to stop and caught in waiting is not helped to end."""
    from apps.events import leaving

    leaving.when_told = lambda **_: None


def surviving() -> None:
    """Who sends a mail that says so dies of it, each time; claims are given up soon, and after three."""
    from apps.notifications.services import claiming
    from apps.notifications.transports import transport_named

    mail: Any = type(transport_named("email"))
    send = mail.send

    def die_of_it(self: Any, content: Any, **how: Any) -> Any:
        if "deadly" in content["subject"]:
            os.kill(os.getpid(), signal.SIGKILL)
        return send(self, content, **how)

    mail.send, mail.seconds, mail.most_attempts = die_of_it, 3, 3
    claiming.LEASE_MARGIN_SECONDS = 2


def rings() -> None:
    """Nothing rings for what is due: reminders wait for the sweep."""
    from apps.events import doorbells

    ring: Callable[..., None] = doorbells.ring

    def ring_for_the_rest(job: str, **how: Any) -> None:
        if job != "notifications.trigger_due":
            ring(job, **how)

    doorbells.ring = ring_for_the_rest


_CURES = {
    "offsets-after-commit": offsets_after_commit,
    "reconcile": reconcile,
    "leaving": leaving,
    "surviving": surviving,
    "rings": rings,
}


def main(cures: str, words: list[str]) -> None:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "todo_project.settings.base")
    django.setup()
    for cure in cures.split("+"):
        _CURES[cure]()
    if words[0] == "-m":
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = words
        runpy.run_path(words[0], run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])

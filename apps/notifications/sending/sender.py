"""Sends what is due: claims on the main thread, tries on threads, keeps what became of it on the main thread again.

Invariant: only the main thread touches the database. Nobody waits longer for a thread than its transport's time; one
that hangs is left behind, holds its place and its destination until it ends, and keeps no process from ending. What
was under way when a process dies is given up by its lease.
"""

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import structlog
from django.db import Error, connection

from apps.events import crash
from apps.notifications.sending import fairness, one_sender
from apps.notifications.services import sending
from apps.notifications.services.sending import Claimed, Finished, TimedOut
from apps.notifications.transports import transports
from apps.notifications.transports.base import Receipt, Transport

log = structlog.get_logger(__name__)

# A job leaves well before its limit: those under way may take their whole time after it.
BUDGET_SECONDS = 20.0
# A job ends when nothing is due within so long; a doorbell or beat rings for what is later.
LINGER_SECONDS = 1.0
# So often it looks for more where it found nothing; and where it did, so that places that come free are filled.
LOOK_SECONDS = 0.2
PACE_SECONDS = 0.02
# So long those that may kill their sender are sent first, alone.
DEADLY_SECONDS = 3.0
# So often claims whose lease ran out are given up.
BURY_SECONDS = 2.0
# Beyond a transport's time, which it keeps itself: only what does not is told off.
GRACE_SECONDS = 2.0


# A thread that hangs holds its place from run to run for so long; then it is given up, and left to its socket.
HANGS_SECONDS = 600.0
# So often an outcome is tried to be kept; then the lease decides.
MOST_KEEPS = 5


@dataclass(slots=True)
class Trying:
    """One attempt under way. `over` once somebody decided what became of it, its thread or its time."""

    claimed: Claimed
    began: float
    deadline: float
    over: bool = False
    ended: bool = False


@dataclass(slots=True)
class Lane:
    """The threads of one transport, so that no transport waits for another."""

    transport: Transport
    trying: list[Trying] = field(default_factory=list)
    look_at: float = 0.0
    idle_since: float | None = None
    comes_at: float | None = None

    def empty(self, linger_seconds: float) -> bool:
        """Nothing was due when it last looked, or for long nothing that may be taken, and nothing comes soon."""
        if self.idle_since is None:
            return False
        now = time.monotonic()
        if self.comes_at is None or self.comes_at > now + linger_seconds:
            return True
        return now > max(self.idle_since, self.comes_at) + linger_seconds

    def room(self) -> fairness.Room:
        risky = sum(one.claimed.risky for one in self.trying)
        return fairness.room(self.transport.senders, busy=len(self.trying), risky=risky)


class Sender:
    """One run. `stop` is asked before each claim."""

    def __init__(
        self,
        *,
        stop: Callable[[], bool] = one_sender.told_to_stop,
        budget_seconds: float = BUDGET_SECONDS,
        linger_seconds: float = LINGER_SECONDS,
    ) -> None:
        self.stop = stop
        self.until = time.monotonic() + budget_seconds
        self.linger_seconds = linger_seconds
        self.lanes = [Lane(one, trying=_left_behind(one.name)) for one in transports().values() if not one.at_once]
        self.tried: queue.SimpleQueue[tuple[Trying, Finished]] = queue.SimpleQueue()
        self.unkept: list[tuple[Finished, int]] = []
        self.kept = 0
        self.bury_at = 0.0

    def run(self) -> int:
        """How many attempts came to an end."""
        try:
            self._send_the_deadly()
        except Error as reason:
            self._claim_no_more(reason)
        while True:
            if not self._leaves():
                self._look()
            elif not self._under_way():
                break
            self._collect()
            if not self._under_way() and all(lane.empty(self.linger_seconds) for lane in self.lanes):
                break
        _hanging[:] = [one for lane in self.lanes for one in lane.trying]
        return self.kept

    def _send_the_deadly(self) -> None:
        """Those whose senders died twice in a row, one by one and with nothing else under way: if they kill again, they
        kill nobody else's.
        """
        until = time.monotonic() + DEADLY_SECONDS
        for lane in self.lanes:
            while not self._leaves() and time.monotonic() < until and not any(one.trying for one in self.lanes):
                claimed = sending.claim(transport=lane.transport, room=fairness.Room(1, 1, 1), deadly=True)
                if not claimed:
                    break
                self._begin(lane, claimed)
                while self._under_way():
                    self._collect()

    def _leaves(self) -> bool:
        return time.monotonic() >= self.until or self.stop()

    def _under_way(self) -> bool:
        return bool(self.unkept) or any(not one.over for lane in self.lanes for one in lane.trying)

    def _look(self) -> None:
        buries = self.bury_at <= time.monotonic()
        try:
            for lane in self.lanes:
                if buries:
                    sending.bury(lane.transport)
                self._fill(lane)
        except Error as reason:
            self._claim_no_more(reason)
        if buries:
            self.bury_at = time.monotonic() + BURY_SECONDS

    def _claim_no_more(self, reason: Error) -> None:
        """The database is away or busy; what is under way is waited for all the same."""
        log.warning("deliveries_not_claimed", reason=str(reason).strip())
        _let_go_of_what_is_cut_off()
        self.until = min(self.until, time.monotonic())

    def _fill(self, lane: Lane) -> None:
        room = lane.room()
        if room.all <= 0 or time.monotonic() < lane.look_at:
            return
        busy = {one.claimed.destination for one in lane.trying}
        claimed = sending.claim(transport=lane.transport, room=room, busy=busy)
        if claimed:
            lane.idle_since = None
            self._begin(lane, claimed)
            lane.look_at = time.monotonic() + PACE_SECONDS
        else:
            self._rest(lane)

    def _rest(self, lane: Lane) -> None:
        now, seconds = time.monotonic(), sending.next_in_seconds(lane.transport)
        lane.look_at = now + LOOK_SECONDS
        lane.idle_since = lane.idle_since or now
        lane.comes_at = None if seconds is None else now + seconds

    def _begin(self, lane: Lane, claimed: list[Claimed]) -> None:
        crash.at("deliveries.claimed")
        for one, to in sending.prepare(claimed):
            began = time.monotonic()
            trying = Trying(one, began, began + one.transport.seconds + GRACE_SECONDS)
            lane.trying.append(trying)
            if isinstance(to, Exception):
                trying.ended = True
                self.tried.put((trying, Finished(one, to, 0.0)))
                continue
            name = f"send-{one.transport.name}"
            threading.Thread(target=self._try, args=[trying, to], name=name, daemon=True).start()

    def _try(self, trying: Trying, to: Any) -> None:
        claimed = trying.claimed
        row = claimed.delivery
        outcome: Receipt | BaseException
        try:
            crash.at("deliveries.sending")
            outcome = claimed.transport.send(row.content, to=to, key=claimed.key, attempt=row.attempts)
            crash.at("deliveries.sent")
        except BaseException as reason:  # noqa: BLE001 - whatever it is, it is what became of the attempt
            outcome = reason
        trying.ended = True
        self.tried.put((trying, Finished(claimed, outcome, time.monotonic() - trying.began)))

    def _collect(self) -> None:
        """Wait a little for a thread, take all that are done and all whose time is over, and keep it."""
        done = self.unkept
        wait = self._wait_seconds()
        while True:
            try:
                trying, finished = self.tried.get(timeout=wait)
            except queue.Empty:
                break
            wait = 0.0
            if not trying.over:
                trying.over = True
                done.append((finished, MOST_KEEPS))
        done += [(late, MOST_KEEPS) for late in self._out_of_time()]
        for lane in self.lanes:
            lane.trying = [one for one in lane.trying if not (one.over and one.ended)]
        self.unkept = []
        if done:
            self._keep(done)

    def _wait_seconds(self) -> float:
        looks = [lane.look_at for lane in self.lanes if lane.room().all > 0]
        return min(LOOK_SECONDS, max(0.001, min(looks, default=0.0) - time.monotonic())) if looks else LOOK_SECONDS

    def _out_of_time(self) -> list[Finished]:
        now = time.monotonic()
        late = [one for lane in self.lanes for one in lane.trying if not one.over and one.deadline <= now]
        for one in late:
            one.over = True
        return [
            Finished(one.claimed, TimedOut(f"No answer within {one.claimed.transport.seconds:g} s."), now - one.began)
            for one in late
        ]

    def _keep(self, done: list[tuple[Finished, int]]) -> None:
        """What cannot be kept, because the database is away or busy, is tried again: as often as it may be."""
        kept = set(sending.finish([finished for finished, _ in done]))
        if not kept:
            _let_go_of_what_is_cut_off()
        self.kept += len(kept)
        for lane in self.lanes:
            # What waited for one of these destinations may go now.
            if any(finished.claimed.transport is lane.transport for finished, _ in done):
                lane.look_at, lane.idle_since = 0.0, None
        self.unkept = [(one, left - 1) for one, left in done if one.claimed.delivery.pk not in kept and left > 1]


def _let_go_of_what_is_cut_off() -> None:
    if not connection.is_usable():
        connection.close()


_hanging: list[Trying] = []


def _left_behind(name: str) -> list[Trying]:
    """Threads of earlier runs in this process that have not ended yet."""
    oldest = time.monotonic() - HANGS_SECONDS
    mine = [one for one in _hanging if one.claimed.transport.name == name]
    return [one for one in mine if not one.ended and one.began > oldest]


def send_due(**how: Any) -> float | None:
    """What a job does: one run of a sender, unless another of this worker is at it. In how many seconds something more
    is due, as far as it found.
    """
    with one_sender.turn() as ours:
        if not ours:
            return None
        Sender(**how).run()
        coming = [sending.next_in_seconds(one) for one in transports().values() if not one.at_once]
        return min((seconds for seconds in coming if seconds is not None), default=None)

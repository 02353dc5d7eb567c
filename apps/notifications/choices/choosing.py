"""What goes out by which transport, to where, and when: each decision with its reason in words. Pure.

Invariant: every transport a notification could take gets a choice, and of what is to go out nothing is left out and
nothing is earlier than it may be.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from apps.calendar import zones
from apps.calendar.sentences import clock, instant_in_words
from apps.notifications.transports.base import Destination

# What falls together is sent together: so long somebody new is waited for.
COLLECTING = timedelta(seconds=1)


class Decision(StrEnum):
    """In the order in which they are asked for."""

    DONE = "done"
    NOT_MEANT = "not_meant"
    OFF = "off"
    NOWHERE = "nowhere"
    TOLD = "told"
    HELD = "held"
    QUIET = "quiet"
    AT_ONCE = "at_once"
    BATCH = "batch"
    HEARD_AGAIN = "heard_again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A transport as one person may be told by it, of one kind of notification."""

    transport: str
    label: str
    at_once: bool
    switched_on: bool
    on_by_default: bool
    destinations: Sequence[Destination]
    nowhere: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What is the same for every transport. `quiet_until`: the quiet hours that hold now end then."""

    now: datetime
    zone: ZoneInfo
    urgent: bool
    quiet_until: datetime | None
    batches: bool
    batch: timedelta
    only: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A decision about one transport, or one destination of it. `send_at`: what goes out does so not before."""

    transport: str
    decision: Decision
    reason: str
    destination: str = ""
    send_at: datetime | None = None

    @property
    def goes_out(self) -> bool:
        """There is a delivery of it."""
        return self.decision in {Decision.HELD, Decision.QUIET, Decision.AT_ONCE, Decision.BATCH}

    @property
    def collects(self) -> bool:
        """The delivery takes in what else comes before it is sent."""
        return self.decision in {Decision.QUIET, Decision.BATCH}

    def kept(self, now: datetime) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "transport": self.transport,
            "destination": self.destination,
            "decision": str(self.decision),
            "reason": self.reason,
            "at": zones.instant_text(now),
            "send_at": zones.instant_text(self.send_at),
        }


def choose(way: Way, moment: Moment, *, last_sent_at: dict[str, datetime]) -> Iterator[Choice]:
    """The choice for a transport, or one for each of its destinations. `last_sent_at` is by destination."""
    if not (because := _why_not(way, moment)):
        for destination in way.destinations:
            yield _for_destination(way, moment, destination, last_sent_at.get(destination.key))
        return
    decision, reason = because
    yield Choice(transport=way.transport, decision=decision, reason=reason)


def _why_not(way: Way, moment: Moment) -> tuple[Decision, str] | None:
    """Why nothing is to go out by it; in the app, that it is told."""
    if moment.only is not None and way.transport not in moment.only:
        return Decision.NOT_MEANT, f"This is not sent by {way.label}."
    if not way.switched_on:
        if way.on_by_default:
            return Decision.OFF, f"You have switched this off {way.label} in your preferences."
        return Decision.OFF, f"This is off {way.label} unless you switch it on in your preferences."
    if way.at_once:
        quietly = (
            " Quietly, because of your quiet hours: no screen pops up."
            if moment.quiet_until and not moment.urgent
            else ""
        )
        return Decision.TOLD, f"It was put into your inbox at once.{quietly}"
    if not way.destinations:
        return Decision.NOWHERE, way.nowhere
    return None


def _for_destination(way: Way, moment: Moment, destination: Destination, last_sent_at: datetime | None) -> Choice:
    def chosen(decision: Decision, reason: str, send_at: datetime) -> Choice:
        return Choice(
            transport=way.transport,
            decision=decision,
            reason=reason,
            destination=destination.key,
            send_at=send_at,
        )

    now = moment.now
    if destination.held:
        return chosen(Decision.HELD, "Its receiver is switched off: it is kept until that is on again.", now)
    if moment.quiet_until is not None and not moment.urgent:
        until = instant_in_words(moment.quiet_until, zone=moment.zone, today=zones.local_date(now, moment.zone))
        return chosen(
            Decision.QUIET,
            f"Your quiet hours hold it until {until}; then all they held is sent as one.",
            moment.quiet_until,
        )
    if moment.urgent:
        passed = " It passes your quiet hours." if moment.quiet_until is not None else ""
        return chosen(Decision.AT_ONCE, f"It is urgent: it is sent at once and by itself.{passed}", now)
    if not moment.batches:
        return chosen(Decision.AT_ONCE, "You want each by itself: it is sent at once.", now)
    return chosen(Decision.BATCH, *_batched(moment, last_sent_at))


def _batched(moment: Moment, last_sent_at: datetime | None) -> tuple[str, datetime]:
    soon = moment.now + COLLECTING
    if last_sent_at is None or last_sent_at + moment.batch <= soon:
        return "It is sent at once, together with what comes at the same moment.", soon
    send_at = min(last_sent_at, moment.now) + moment.batch
    told = clock(send_at.replace(microsecond=0), zone=moment.zone)
    return f"Something was sent there less than a minute ago: it is sent at {told}, with what else comes.", send_at


def done_already(because: str) -> Choice:
    """For a notification of what does not hold any more: for all transports at once."""
    return Choice(
        transport="",
        decision=Decision.DONE,
        reason=f"{because}, so nothing was sent.",
    )


def heard_again() -> Choice:
    return Choice(transport="", decision=Decision.HEARD_AGAIN, reason="It was heard of again; you are told once.")

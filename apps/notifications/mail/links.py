"""Links in mails, by which their reader acts without signing in: signed, for one thing, for a while. Pure.

Invariant: what a link does stands in it and is signed, so nobody without one can make one, or make another of it. The
same link of the same mail has the same id however often the mail is composed; `services.links.use` lets it work once.
"""

import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any
from uuid import UUID, uuid5

from django.conf import settings
from django.core import signing

from apps.notifications.kinds import Kind

_SALT = "apps.notifications.mail.links"
# Owner, id, when it expires (seconds since 1970), the action; then what it is about.
_FORM = struct.Struct(">16s16sQB")
_LONGEST = 300


class Action(IntEnum):
    """What following a link does. The numbers stand in mails that were sent: they are never given to another."""

    COMPLETE = 1
    SNOOZE_QUARTER = 2
    SNOOZE_HOUR = 3
    SNOOZE_TOMORROW = 4
    UNSUBSCRIBE = 5


# As `snoozing.snooze_notification` takes them.
SNOOZES = {
    Action.SNOOZE_QUARTER: "PT15M",
    Action.SNOOZE_HOUR: "PT1H",
    Action.SNOOZE_TOMORROW: "tomorrow",
}
LIFETIME = timedelta(days=7)
LIFETIME_OF_UNSUBSCRIBING = timedelta(days=365)

# Each kind is a bit; as with actions, none is given to another kind.
_BITS = {Kind.REMINDER: 1, Kind.OVERDUE: 2, Kind.DIGEST: 4, Kind.NOTICE: 8}


# Wherever such an address stands in a text, or in a page of one.
_TOKEN = re.compile(r"(/links/)[^/\s\"'<>&?#]+")


class NoSuchLink(Exception):
    """Nobody of ours made it."""


class LinkExpired(Exception):
    """It was good once."""


@dataclass(frozen=True, slots=True)
class Link:
    """`about` is a task for completing, a notification for snoozing, and nothing for unsubscribing from `kinds`."""

    id: UUID
    owner_id: UUID
    action: Action
    expires_at: datetime
    about: UUID | None = None
    kinds: frozenset[Kind] = frozenset()


def make(
    action: Action,
    *,
    owner_id: UUID,
    delivery_id: UUID,
    now: datetime,
    about: UUID | None = None,
    kinds: Iterable[Kind] = (),
) -> str:
    """The address of a link in the mail of a delivery."""
    lifetime = LIFETIME_OF_UNSUBSCRIBING if action is Action.UNSUBSCRIBE else LIFETIME
    subject = bytes([sum(_BITS[kind] for kind in set(kinds))]) if about is None else about.bytes
    link_id = uuid5(delivery_id, f"{action.value}/{subject.hex()}")
    expires_at = int((now + lifetime).timestamp())
    packed = _FORM.pack(owner_id.bytes, link_id.bytes, expires_at, action) + subject
    return f"{settings.PUBLIC_URL}/links/{_signer().sign(signing.b64_encode(packed).decode())}/"


def read(token: str, *, now: datetime) -> Link:
    """What a link says. Raises `NoSuchLink` and `LinkExpired`."""
    if len(token) > _LONGEST:
        raise NoSuchLink
    try:
        link = _unpacked(signing.b64_decode(_signer().unsign(token).encode()))
    except (signing.BadSignature, ValueError, struct.error) as reason:
        raise NoSuchLink from reason
    if link.expires_at <= now:
        raise LinkExpired
    return link


def without_tokens(value: Any) -> Any:
    """The same text, or JSON, as others than the owner may see it: whoever has a token acts as its owner."""
    match value:
        case str():
            return _TOKEN.sub(r"\1[hidden]", value)
        case dict():
            return {without_tokens(name): without_tokens(inner) for name, inner in value.items()}
        case list() | tuple():
            return [without_tokens(inner) for inner in value]
    return value


def _unpacked(packed: bytes) -> Link:
    owner, link_id, expires_at, action = _FORM.unpack_from(packed)
    subject = packed[_FORM.size :]
    one_thing = Action(action) is not Action.UNSUBSCRIBE
    return Link(
        id=UUID(bytes=link_id),
        owner_id=UUID(bytes=owner),
        action=Action(action),
        expires_at=datetime.fromtimestamp(expires_at, UTC),
        about=UUID(bytes=subject) if one_thing else None,
        kinds=frozenset() if one_thing else frozenset(kind for kind, bit in _BITS.items() if subject[0] & bit),
    )


def _signer() -> signing.Signer:
    # Not the colon, which some mail programs end a link at.
    return signing.Signer(salt=_SALT, sep=".")

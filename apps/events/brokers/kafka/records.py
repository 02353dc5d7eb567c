"""From the client's messages to records."""

from collections.abc import Iterable

from confluent_kafka import Message

from apps.events.brokers.base import Record


def record_of(message: Message, *, prefix: str) -> Record:
    _, stored_at = message.timestamp()
    return Record(
        topic=(message.topic() or "").removeprefix(prefix),
        partition=message.partition() or 0,
        offset=message.offset() or 0,
        key=_bytes(message.key()),
        value=_bytes(message.value()),
        headers=[(name, _bytes(text) or b"") for name, text in _pairs(message)],
        stored_at=stored_at,
    )


def _pairs(message: Message) -> Iterable[tuple[str, str | bytes | None]]:
    """None where a name is not UTF-8: without headers it is an unreadable record like any other.

    The client then raises `SystemError` and keeps a list with a hole, at which a second look ends the process: so
    nobody asks a message for its headers but this, once.
    """
    try:
        headers = message.headers() or []
    except SystemError as reason:
        if not isinstance(reason.__cause__, UnicodeDecodeError):
            raise
        return []
    return headers.items() if isinstance(headers, dict) else headers


def _bytes(text: str | bytes | None) -> bytes | None:
    return text.encode() if isinstance(text, str) else text

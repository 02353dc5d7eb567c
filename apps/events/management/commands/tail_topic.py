"""Shows the records of topics as they come, without joining any consumer group."""

import json
import time
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import CommandParser

from apps.events import event_types
from apps.events.brokers import get_broker
from apps.events.brokers.base import Record
from apps.events.management.manners import PlatformCommand, wrong_use


class Command(PlatformCommand):
    help = "Print records as they come, with partition and offset. Ends on Ctrl-C, --count or --seconds."
    exits = {0: "ended as asked"}

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("topics", nargs="*", metavar="TOPIC", help="Default: every topic there is.")
        parser.add_argument(
            "--from-beginning", action="store_true", help="Start with what is kept, not with what comes."
        )
        parser.add_argument("--count", type=int, help="Stop after so many records.")
        parser.add_argument("--seconds", type=float, help="Stop after so many seconds.")
        parser.add_argument("--json", action="store_true", help="One JSON object a line, with headers and data.")

    def handle(self, *args: Any, **options: Any) -> None:
        known = event_types.topics()
        topics = options["topics"] or known
        if unknown := sorted(set(topics) - set(known)):
            raise wrong_use(f"No topic {', '.join(unknown)}; there are: {', '.join(known)}.")
        left = options["count"]
        until = time.monotonic() + options["seconds"] if options["seconds"] else None
        show = _as_json if options["json"] else _as_line
        try:
            for record in get_broker().tail(topics, from_beginning=options["from_beginning"]):
                if record is not None:
                    self.stdout.write(show(record))
                    self.stdout.flush()
                    left = left - 1 if left is not None else None
                if left == 0 or (until is not None and time.monotonic() > until):
                    return
        except KeyboardInterrupt:
            return


def _headers(record: Record) -> dict[str, str]:
    return {name: text.decode(errors="backslashreplace") for name, text in record.headers}


def _text(text: bytes | None) -> str:
    return (text or b"").decode(errors="backslashreplace")


def _as_line(record: Record) -> str:
    headers = _headers(record)
    stored = datetime.fromtimestamp(record.stored_at / 1000, UTC)
    return (
        f"{stored:%H:%M:%S}.{stored.microsecond // 1000:03d}  {record.topic}/{record.partition}@{record.offset:<6}"
        f" {headers.get('ce_type', '?'):20} {headers.get('ce_subject', _text(record.key))}"
        f"  #{headers.get('ce_sequence', '-')}  {_text(record.value)[:120]}"
    )


def _as_json(record: Record) -> str:
    return json.dumps(
        {
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "stored_at": record.stored_at,
            "key": _text(record.key),
            "headers": _headers(record),
            "value": _text(record.value),
        },
        ensure_ascii=False,
    )

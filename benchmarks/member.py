"""A member of a consumer group in a process of its own, which tells what it owns and may be killed.

`python -m benchmarks.member GROUP TOPIC` prints one line of JSON when it begins and whenever the number of its
partitions changes: `at` by the machine's monotonic clock, which all processes share, and `owned`.
"""

import json
import signal
import sys
import time
from types import FrameType

from apps.events.brokers import get_broker


def main(group: str, topic: str) -> None:
    stopped = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopped
        stopped = True

    signal.signal(signal.SIGTERM, stop)
    _tell(0)
    consumer = get_broker().consumer(group, [topic])
    owned: set[tuple[str, int]] = set()
    while not stopped:
        consumer.poll(1, timeout=0.01)
        if consumer.owned != owned:  # type: ignore[attr-defined]  # Kafka's, which is what is measured here
            owned = set(consumer.owned)  # type: ignore[attr-defined]
            _tell(len(owned))
    consumer.close()


def _tell(owned: int) -> None:
    print(json.dumps({"at": time.monotonic(), "owned": owned}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

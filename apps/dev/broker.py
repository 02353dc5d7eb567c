"""`make kafka`: one real Apache Kafka at a terminal, for `make run` and the tests beside it.

Invariant: what it starts it ends, however it is asked to; the data of a port stays in its folder, so that the next
one at that port goes on from there.
"""

import time
from contextlib import suppress
from pathlib import Path

from apps.dev import ports, terminal
from apps.dev.children import ChildFailed
from apps.dev.embedded import kafka_jars
from apps.dev.embedded.apache_kafka import ApacheKafka
from apps.dev.state import FolderInUse, StateFolder
from apps.dev.supervisor import StopAsked, StopSignals, checkout_folder, say

_LOOK_SECONDS = 0.2


def folder_of(port: int) -> Path:
    return checkout_folder() / f"broker-{port}"


def run(*, port: int) -> int:
    """Run a broker at `port` until it is asked to stop. The exit status."""
    if lacking := kafka_jars.lacking():
        say(f"error: {lacking}")
        return 1
    began = time.monotonic()
    signals = StopSignals()
    state = StateFolder(folder_of(port))
    kafka: ApacheKafka | None = None
    with terminal.foreground():
        try:
            _take(state, port)
            with signals.waiting():
                if not kafka_jars.complete():
                    say(f"Fetching Apache Kafka {kafka_jars.version()} by Maven, once …")
                kafka_jars.fetch()
            kafka = ApacheKafka(state.path, logs=state.logs, port=port)
            kafka.start()
            assert kafka.child is not None
            state.record_processes([kafka.child.id])
            with signals.waiting():
                kafka.wait()
            _tell(kafka, seconds=time.monotonic() - began)
            _hold(kafka, signals)
        except StopAsked:
            say("\nStopping …")
        except (FolderInUse, ChildFailed) as reason:
            say(f"error: {reason}")
            return 1
        finally:
            if kafka is not None:
                kafka.stop()
                state.record_processes([])
            state.unlock()
    say("Stopped. The data stays; `make kafka` goes on from here.")
    return 0


def _take(state: StateFolder, port: int) -> None:
    """The folder and the port. Raises `FolderInUse` and `ChildFailed`."""
    state.lock()
    state.end_left_over()
    if not ports.is_free(port):
        raise ChildFailed(f"Port {port} is taken by another program. Move: make kafka PORT={port + 100}")
    state.logs.mkdir(mode=0o700, exist_ok=True)
    for log in state.logs.glob("*.log"):
        log.replace(log.with_suffix(".log.1"))


def _tell(kafka: ApacheKafka, *, seconds: float) -> None:
    variable = f"KAFKA_BOOTSTRAP_SERVERS={kafka.address}"
    say(f"\nApache Kafka {kafka_jars.version()}, ready in {seconds:.1f} s. Ctrl-C stops it. In another terminal:\n")
    say(f"  {variable} make run          the platform on this Kafka")
    say(f"  {variable} make test-kafka   the tests that need a real one")
    say(f"\nData and log are in {kafka.folder.parent}.\n")
    with suppress(OSError):
        print(variable, flush=True)


def _hold(kafka: ApacheKafka, signals: StopSignals) -> None:
    """Until somebody asks to stop, which raises `StopAsked`. Raises `ChildFailed` when the broker ends by itself."""
    while True:
        with signals.waiting():
            time.sleep(_LOOK_SECONDS)
        if kafka.child is None or not kafka.child.runs:
            words = kafka.child.last_words() if kafka.child else ""
            raise ChildFailed(f"Kafka ended by itself; its last words:\n{words}\n(all in {kafka.folder.parent}/logs)")

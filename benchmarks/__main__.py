"""`python -m benchmarks`: measures on a throw-away stack, with the mock Kafka and with a real one, and writes
docs/benchmarks.md and docs/benchmarks.json.
"""

import argparse
import os
import signal
import sys
import time
from datetime import UTC, datetime
from functools import partial

from apps.dev.children import ChildFailed
from apps.dev.embedded import kafka_jars
from benchmarks import report
from benchmarks.ground import MOCK, REAL, TITLES, ground
from benchmarks.parts import ASKED_FOR, ONLY_ON, PARTS, WITHOUT_KAFKA
from benchmarks.report import EITHER, Notebook, Part

ALL_PARTS = PARTS | ASKED_FOR
EXITS = "Ends with 0: well; 2: wrong use; 3: a service cannot run here; 130: interrupted."
say = partial(print, flush=True)


def main() -> int:
    options = _options()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    kinds = _kinds_with_parts(options)
    if not kinds:
        say(f"{', '.join(options.only)}: not measured on {TITLES.get(options.kafka, TITLES[MOCK])}.")
        return 2
    try:
        _measure(kinds[0], options)
    except KeyboardInterrupt:
        say("Interrupted; the parts that were done are written.")
        return 130
    except ChildFailed as reason:
        say(str(reason))
        return 3
    if kinds[1:]:
        # Another process in the place of this one: settings are read once, and the second stack has others.
        os.execv(sys.executable, [sys.executable, "-m", "benchmarks", *_words(options)])  # noqa: S606 - words of ours
    return 0


def _kinds_with_parts(options: argparse.Namespace) -> list[str]:
    both = options.kafka == "both"
    kinds = _kinds() if both else [options.kafka]
    return [kind for kind in kinds if _parts(options, kind=kind, beside_mock=both or options.beside_mock)]


def _kinds() -> list[str]:
    """The mock, and the real broker where it can be had."""
    lacking = kafka_jars.lacking()
    if lacking is None:
        try:
            kafka_jars.fetch()
        except ChildFailed as reason:
            lacking = " ".join(str(reason).split())
    if lacking is None:
        return [MOCK, REAL]
    say(f"The rows of {TITLES[REAL]} are left out: {lacking}")
    return [MOCK]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__, epilog=EXITS)
    parser.add_argument("--kafka", choices=[MOCK, REAL, "both"], default="both", help="Which Kafka (default: both).")
    parser.add_argument(
        "--only", choices=ALL_PARTS, action="append", help="Measure this part (repeatable) and keep the others."
    )
    parser.add_argument("--quick", action="store_true", help="A tenth of the work; writes nothing.")
    parser.add_argument(
        "--durable",
        action="store_true",
        help="What is acknowledged is on the disk: PostgreSQL's commits, Kafka's records.",
    )
    parser.add_argument("--beside-mock", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _words(options: argparse.Namespace) -> list[str]:
    """The same, asked of the real broker once the mock is done."""
    flags = [f"--{name}" for name in ("quick", "durable") if getattr(options, name)]
    return ["--kafka", REAL, *flags, *(f"--only={name}" for name in options.only or []), "--beside-mock"]


def _parts(options: argparse.Namespace, *, kind: str, beside_mock: bool) -> list[str]:
    """What is measured on this Kafka; what Kafka has no part in only once."""
    return [
        name
        for name in options.only or PARTS
        if ONLY_ON.get(name, kind) == kind and not (beside_mock and kind == REAL and name in WITHOUT_KAFKA)
    ]


def _measure(kind: str, options: argparse.Namespace) -> None:
    """Every part on one stack, each written when it is done. Raises `ChildFailed` when the stack cannot run."""
    started = time.monotonic()
    with ground(kind, durable=options.durable, say=say) as on:
        os.environ.update(on.stack.owner_env | {"ROLE": "bench", "LOG_LEVEL": "ERROR"})
        import django

        django.setup()
        from benchmarks import pipeline

        pipeline.wait_until_quiet()
        for name in _parts(options, kind=kind, beside_mock=options.beside_mock):
            began = time.monotonic()
            say(f"--- {TITLES[kind]}: {name}")
            note = Notebook(say)
            ALL_PARTS[name](on, note, 0.1 if options.quick else 1.0)
            say(f"--- {name} took {time.monotonic() - began:.0f} s")
            if not options.quick:
                part = Part(f"{datetime.now(UTC):%Y-%m-%d}", str(on), note.cells)
                _keep(EITHER if name in WITHOUT_KAFKA else kind, name, part)
    say(f"Measured on {TITLES[kind]} in {time.monotonic() - started:.0f} s.")


def _keep(kind: str, name: str, part: Part) -> None:
    """Write at once: what is measured is not lost when a later part fails."""
    results = report.read()
    results.setdefault(kind, {})[name] = part
    report.write(results, titles=TITLES | {EITHER: "without Kafka"}, order=ALL_PARTS)


if __name__ == "__main__":
    sys.exit(main())

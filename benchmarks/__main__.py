"""`python -m benchmarks`: measures on a throw-away stack, with the mock Kafka and with a real one, and writes
docs/benchmarks.md and docs/benchmarks.json.
"""

import argparse
import os
import subprocess
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
say = partial(print, flush=True)


def main() -> int:
    options = _options()
    if options.kafka != "both":
        return _measure(options)
    # A process for each: settings are read once, and the second stack has others.
    for kind in _kinds():
        if _parts(options, kind=kind, beside_mock=True):
            subprocess.run([sys.executable, "-m", "benchmarks", *_words(options, kind=kind)], check=True)
    return 0


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
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
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


def _words(options: argparse.Namespace, *, kind: str) -> list[str]:
    flags = [f"--{name}" for name in ("quick", "durable") if getattr(options, name)]
    only = [f"--only={name}" for name in options.only or []]
    return ["--kafka", kind, *flags, *only, *(["--beside-mock"] if kind == REAL else [])]


def _parts(options: argparse.Namespace, *, kind: str, beside_mock: bool) -> list[str]:
    """What is measured on this Kafka; what Kafka has no part in only once."""
    return [
        name
        for name in options.only or PARTS
        if ONLY_ON.get(name, kind) == kind and not (beside_mock and kind == REAL and name in WITHOUT_KAFKA)
    ]


def _measure(options: argparse.Namespace) -> int:
    """Every part on one stack, each written when it is done; 2 where none of them is measured on this Kafka."""
    parts = _parts(options, kind=options.kafka, beside_mock=options.beside_mock)
    if not parts:
        say(f"Nothing of that is measured on {TITLES[options.kafka]}.")
        return 2
    started = time.monotonic()
    with ground(options.kafka, durable=options.durable, say=say) as on:
        os.environ.update(on.stack.owner_env | {"ROLE": "bench", "LOG_LEVEL": "ERROR"})
        import django

        django.setup()
        from benchmarks import pipeline

        pipeline.wait_until_quiet()
        for name in parts:
            began = time.monotonic()
            say(f"--- {TITLES[options.kafka]}: {name}")
            note = Notebook(say)
            ALL_PARTS[name](on, note, 0.1 if options.quick else 1.0)
            say(f"--- {name} took {time.monotonic() - began:.0f} s")
            if not options.quick:
                kind = EITHER if name in WITHOUT_KAFKA else options.kafka
                _keep(kind, name, Part(f"{datetime.now(UTC):%Y-%m-%d}", str(on), note.cells))
    say(f"Measured on {TITLES[options.kafka]} in {time.monotonic() - started:.0f} s.")
    return 0


def _keep(kind: str, name: str, part: Part) -> None:
    """Write at once: what is measured is not lost when a later part fails."""
    results = report.read()
    results.setdefault(kind, {})[name] = part
    report.write(results, titles=TITLES | {EITHER: "without Kafka"}, order=ALL_PARTS)


if __name__ == "__main__":
    sys.exit(main())

"""The doctor before there are settings: told by `manage.py` when they cannot be read.

Invariant: imports nothing that needs settings or the app registry.
"""

import argparse
import json
from collections.abc import Sequence
from functools import partial

from rich.console import Console

from apps.ops.doctor import report
from apps.ops.doctor.checks import BEFORE_SETTINGS, SETTINGS, WITH_SETTINGS
from apps.ops.doctor.examination import Check, wrong

FIX = "Start the platform with `make run`, or set what is missing in the environment (see .env.example)."


def run(reason: str, arguments: Sequence[str]) -> int:
    """Examine what can be without settings, which are wrong because of `reason`. The exit code."""
    parser = argparse.ArgumentParser(prog="manage.py doctor")
    parser.add_argument("--json", action="store_true")
    options, _ = parser.parse_known_args(arguments)
    results = report.examine_while_watched(checks(reason))
    if options.json:
        print(json.dumps(report.as_json(results), indent=2, ensure_ascii=False))
    else:
        report.draw(results, console=Console())
    return 1


def checks(reason: str) -> list[Check]:
    return [
        *BEFORE_SETTINGS,
        Check(SETTINGS.name, partial(wrong, reason.partition(". ")[0], fix=FIX)),
        *(Check(check.name, check.look, after=SETTINGS.name) for check in WITH_SETTINGS),
    ]

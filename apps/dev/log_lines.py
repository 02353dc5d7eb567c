"""A line of a role's log as a person at a terminal reads it: when, how bad, what, in which words, and what to do.

Invariant: what is no entry of ours is shown as it is; nothing is shown longer than its limit.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_LONGEST = 200
_LONGEST_WORDS = 300
# Where an entry says what happened; the last is a whole traceback, of which the end counts.
_WORDS = ("first", "reason", "exception")
# What helps against what a role reports, where a command tells more or heals it.
_NEXT_STEP = {
    "audit_trail_not_sound": "`manage.py verify_audit` names every finding",
    "audit_checkpoints_not_asked": "`manage.py doctor` looks at the store",
    "checkpoints_away": "`manage.py doctor` looks at the store; it is tried again at the next beat",
    "checkpoint_not_written": "`manage.py checkpoint_audit --dry-run` tries again and says why",
    "event_parked": "`manage.py dead_letters list`, then replay or discard",
    "group_cannot_handle": "`manage.py status` shows what waits; the group tries again",
    "group_died": "its worker ends and starts again; `manage.py doctor` looks closer",
    "group_hangs": "its worker ends and starts again; `manage.py doctor` looks closer",
    "metrics_not_served": "free the port, or set METRICS_PORT",
    "series_repaired": "its next occurrence was missing and is made; `manage.py verify_events` looks for the loss",
    "relay_refused": "nothing is lost and it is offered again; `manage.py held` says why",
}


def entry(line: str) -> Mapping[str, Any] | None:
    """The entry that the line holds, if it is one of ours."""
    if not line.startswith("{"):
        return None
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "event" in found else None


def happening(found: Mapping[str, Any]) -> str:
    """What happened, the words the entry carries, and the next step where there is one. One line."""
    event = _one_line(found["event"])
    words = next((_one_line(found[name], last=name == "exception") for name in _WORDS if found.get(name)), "")
    if not words and "request" in found:
        words = _one_line(f"{found['request']} was answered with {found.get('code', 'nothing')}")
    step = _NEXT_STEP.get(event, "")
    return (
        shortened(event) + (f": {shortened(words, _LONGEST_WORDS)}" if words else "") + (f" → {step}" if step else "")
    )


def for_person(line: str) -> str:
    """A whole line of a log, shortened."""
    found = entry(line)
    if found is None:
        return shortened(line)
    time = str(found.get("timestamp", "")).partition("T")[2][:8]
    return shortened(" ".join(word for word in (time, str(found.get("level", "")), happening(found)) if word))


def last_of(log: Path, *, count: int = 8) -> str:
    """The end of a log for people, indented; reads no more than its last 16 KiB."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 16_384))
            lines = file.read().decode(errors="replace").splitlines()[-count:]
    except OSError:
        return ""
    return "\n".join(f"    {for_person(line)}" for line in lines)


def shortened(text: str, longest: int = _LONGEST) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _one_line(value: object, *, last: bool = False) -> str:
    text = str(value).strip()
    return text.splitlines()[-1].strip() if last and text else " ".join(text.split())

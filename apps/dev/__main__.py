"""`python -m apps.dev run`, `tour` and `kafka`: the commands that come before any settings.

They are no `manage.py` commands, because those need the database that these are about to start.
"""

import argparse
import os
import signal
import subprocess
import sys

from apps.dev import broker, log_lines, supervisor
from apps.dev.children import PROJECT, ChildFailed
from apps.dev.stack import throw_away_stack


def _tour() -> int:
    """The tour through a stack of its own. The tour's exit status."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        supervisor.say("This is a stack of its own, beside any that runs; it goes away afterwards, with its mail.")
        with throw_away_stack(say=supervisor.say) as stack:
            command = [sys.executable, "manage.py", "tour"]
            environment = stack.env | {"ROLE": "tour", "LOG_LEVEL": "ERROR"}
            status = subprocess.run(command, env=environment, cwd=PROJECT, check=False).returncode
            if status:
                # The logs go with the stack; what matters of them stays on the terminal.
                for name in stack.roles:
                    words = log_lines.last_of(stack.state.logs / f"{name}.log", count=4)
                    supervisor.say(f"Last words of {name}:\n{words}")
            return status
    except ChildFailed as reason:
        supervisor.say(f"error: {reason}")
        return 1
    except KeyboardInterrupt:
        return 130


def _port(text: str) -> int:
    port = int(text)
    if not 0 < port < 65_535:
        raise ValueError
    return port


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m apps.dev", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run the whole platform until Ctrl-C")
    run.add_argument("--port", type=_port, default=os.environ.get("PORT") or "8000")
    commands.add_parser("tour", help="follow one task through a throw-away stack")
    kafka = commands.add_parser("kafka", help="run a real Apache Kafka until Ctrl-C")
    kafka.add_argument("--port", type=_port, default=os.environ.get("PORT") or "9092")
    options = parser.parse_args()
    match options.command:
        case "run":
            return supervisor.run(port=options.port)
        case "kafka":
            return broker.run(port=options.port)
        case _:
            return _tour()


if __name__ == "__main__":
    sys.exit(main())

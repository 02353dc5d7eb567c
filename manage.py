#!/usr/bin/env python
"""The command line of the project: `python manage.py help` lists every command."""

import json
import os
import sys


def main() -> None:
    if sys.argv[1:2] == ["healthcheck"]:
        # A probe runs every few seconds, and Django would take most of its time.
        from apps.ops import probe

        sys.exit(probe.main(sys.argv[2:]))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "todo_project.settings.base")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as reason:
        if sys.argv[1:2] == ["doctor"]:
            from apps.ops.doctor import without_settings

            sys.exit(without_settings.run(str(reason), sys.argv[2:]))
        from apps.events.management.manners import COULD_NOT_LOOK

        if "--json" in sys.argv:
            print(json.dumps({"error": str(reason)}))
        print(f"error: {reason}", file=sys.stderr)
        sys.exit(COULD_NOT_LOOK)


if __name__ == "__main__":
    main()

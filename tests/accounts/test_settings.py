"""A server does not start without a key of its own for tokens; a laptop needs none."""

import subprocess
import sys

import pytest
from django.conf import settings

PLACES = {
    "a server without a key": ({"EMBEDDED_STACK": "false"}, 1, "JWT_SIGNING_KEY is not set."),
    "a server with a key": ({"EMBEDDED_STACK": "false", "JWT_SIGNING_KEY": "k" * 50}, 0, ""),
    "a laptop": ({"EMBEDDED_STACK": "true"}, 0, ""),
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_a_server_needs_a_key_for_tokens(place):
    given, status, told = place
    program = "from todo_project.settings import base; assert len(base.JWT_SIGNING_KEY) >= 50"
    nowhere = {"ENV_FILE": "", "SECRET_KEY": "x", "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing"}

    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**nowhere, **given},
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, told in done.stderr) == (status, True)

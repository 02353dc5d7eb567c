"""Every connection carries its limits; what works in batches has each statement planned for the tables as they are."""

import os
import subprocess
import sys

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from todo_project.databases import OWNER_LIMITS, connection_settings

URL = "postgresql://todo_app:a%40b@db:5433/todo?sslmode=require"
LIMITS = "-c statement_timeout=15s -c lock_timeout=5s -c idle_in_transaction_session_timeout=30s"


def test_a_url_is_told_to_django_with_the_limits_of_what_serves():
    told = connection_settings(URL)

    assert {name: told[name] for name in ("NAME", "USER", "PASSWORD", "HOST", "PORT", "CONN_MAX_AGE")} == {
        "NAME": "todo",
        "USER": "todo_app",
        "PASSWORD": "a@b",
        "HOST": "db",
        "PORT": "5433",
        "CONN_MAX_AGE": 600,
    }
    assert told["OPTIONS"]["options"] == LIMITS
    assert told["OPTIONS"]["sslmode"] == "require"


def test_what_works_in_batches_has_its_statements_planned_each_time():
    assert connection_settings(URL, in_batches=True)["OPTIONS"]["options"] == (
        f"{LIMITS} -c plan_cache_mode=force_custom_plan"
    )


def test_the_owner_only_waits_no_longer_for_a_lock():
    assert connection_settings(URL, limits=OWNER_LIMITS)["OPTIONS"]["options"] == "-c lock_timeout=5s"


def test_anything_but_a_url_of_postgresql_is_refused():
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL must read postgresql://"):
        connection_settings("mysql://todo@db/todo")


@pytest.mark.parametrize(("role", "planned"), [("worker-audit", True), ("relay", True), ("web", False), ("ws", False)])
def test_the_roles_that_work_in_batches_are_the_workers_and_the_relay(role, planned):
    ask = "from todo_project.settings import base; print(base.DATABASES['default']['OPTIONS']['options'])"
    environment = os.environ | {"ROLE": role, "ENV_FILE": "", "SECRET_KEY": "x", "DATABASE_URL": URL}

    told = subprocess.run(
        [sys.executable, "-c", ask], cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True, check=True
    )

    assert ("plan_cache_mode=force_custom_plan" in told.stdout) is planned

"""`prepare` with two roles, on a database of its own: the owner makes the tables, the application gets its rights."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from psycopg import sql

from tests.support.application_role import login_role

OWNER = "postgresql://owner@127.0.0.1:1/nothing"
APPLICATION = "postgresql://application@127.0.0.1:1/nothing"
LIMITS = "-c statement_timeout=15s -c lock_timeout=5s -c idle_in_transaction_session_timeout=30s"
PROGRAM = """
from todo_project.settings import base
print({alias: chosen["OPTIONS"]["options"] for alias, chosen in base.DATABASES.items()})
"""


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"ROLE": "prepare", "DATABASE_OWNER_URL": OWNER}, {"default": LIMITS, "owner": "-c lock_timeout=5s"}),
        ({"DATABASE_OWNER_URL": OWNER}, {"default": LIMITS, "owner": "-c lock_timeout=5s"}),
        ({"ROLE": "prepare"}, {"default": LIMITS}),
        ({"ROLE": "prepare", "DATABASE_DIRECT_URL": OWNER}, {"default": LIMITS, "owner": "-c lock_timeout=5s"}),
        ({"ROLE": "prepare", "DATABASE_OWNER_URL": APPLICATION}, {"default": LIMITS}),
        ({"ROLE": "web", "DATABASE_OWNER_URL": OWNER}, {"default": LIMITS}),
        (
            {"ROLE": "worker-audit", "DATABASE_OWNER_URL": OWNER},
            {"default": f"{LIMITS} -c plan_cache_mode=force_custom_plan"},
        ),
    ],
    ids=["prepare", "a terminal", "one role", "past a pool", "the same url", "web", "worker"],
)
def test_only_what_does_not_serve_has_a_connection_of_the_owner(given, told):
    nowhere = {"ENV_FILE": "", "SECRET_KEY": "x", "DATABASE_URL": APPLICATION}

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**nowhere, **given},
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == str(told)


@dataclass(frozen=True, slots=True)
class TwoRoles:
    owner: str
    application: str
    name: str

    def prepare(self, **given: str) -> subprocess.CompletedProcess[str]:
        """As the job before a release; only the database is real."""
        urls = {"DATABASE_URL": self.application, "DATABASE_OWNER_URL": self.owner}
        return subprocess.run(
            [sys.executable, "manage.py", "prepare", "--verbosity", "0"],
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "todo_project.settings.base", **urls, **given},
            cwd=settings.BASE_DIR,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def two_roles(transactional_db) -> Iterator[TwoRoles]:
    """An empty database of the tests' own role, and a role that has nothing in it yet."""
    chosen = connection.settings_dict
    name = f"prepare_{os.getpid()}"
    database = sql.Identifier(name)
    place = f"{chosen['HOST']}:{chosen['PORT']}/{name}"
    with login_role() as (role, url):
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("CREATE DATABASE {}").format(database))
        try:
            secret = url.split("//", 1)[1].split("@", 1)[0]
            yield TwoRoles(
                owner=f"postgresql://{chosen['USER']}:{chosen['PASSWORD']}@{place}",
                application=f"postgresql://{secret}@{place}",
                name=role,
            )
        finally:
            with connection.cursor() as cursor:
                cursor.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(database))


@pytest.mark.timeout(120)
def test_prepare_migrates_as_the_owner_and_the_application_has_its_rights(two_roles):
    first, second = two_roles.prepare(), two_roles.prepare()

    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert f"role {two_roles.name}: has its rights and no more\n" in first.stdout
    with psycopg.connect(two_roles.application, autocommit=True) as application:
        assert application.execute("SELECT count(*) FROM django_celery_beat_periodictask").fetchone() != (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            application.execute("DELETE FROM audit_auditrecord")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            application.execute("ALTER TABLE events_event DISABLE TRIGGER ALL")


@pytest.mark.timeout(120)
def test_prepare_with_one_role_works_and_says_what_it_could_do(two_roles):
    done = two_roles.prepare(DATABASE_URL=two_roles.owner)

    assert done.returncode == 0, done.stderr
    assert "could switch their guards off" in done.stdout
    assert "See DATABASE_OWNER_URL" in done.stdout

"""Where a setting's value comes from, and what is said when there is none."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from todo_project import env


@pytest.fixture(autouse=True)
def nothing_read_yet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("WHAT", raising=False)
    env._file_values.cache_clear()
    yield
    env._file_values.cache_clear()


@pytest.fixture
def stack_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "stack.env"
    monkeypatch.setattr(env, "STACK_ENV_FILE", file)
    monkeypatch.delenv("ENV_FILE")
    return file


def a_process_that_ended() -> int:
    ended = subprocess.Popen(["true"])
    ended.wait()
    return ended.pid


def test_the_environment_comes_before_the_file(monkeypatch: pytest.MonkeyPatch, stack_file: Path) -> None:
    stack_file.write_text(f"STACK_PID={os.getpid()}\nWHAT=file\n")
    monkeypatch.setenv("WHAT", "environment")
    assert env.text("WHAT") == "environment"


def test_the_file_of_a_running_stack_is_read(stack_file: Path) -> None:
    stack_file.write_text(f"# written by the stack\nSTACK_PID={os.getpid()}\nWHAT='in the file'\n")
    assert env.text("WHAT") == "in the file"


def test_the_file_of_a_stack_that_was_killed_is_not_read(stack_file: Path) -> None:
    stack_file.write_text(f"STACK_PID={a_process_that_ended()}\nWHAT=stale\n")
    with pytest.raises(ImproperlyConfigured, match=r"WHAT is not set\. Start the platform with `make run`"):
        env.text("WHAT")


def test_an_empty_env_file_reads_none(stack_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack_file.write_text(f"STACK_PID={os.getpid()}\nWHAT=file\n")
    monkeypatch.setenv("ENV_FILE", "")
    assert env.text("WHAT", "default") == "default"


def test_a_named_file_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENV_FILE", "/nowhere/at-all.env")
    with pytest.raises(ImproperlyConfigured, match=r"ENV_FILE names ./nowhere/at-all\.env., which is not a file"):
        env.text("WHAT")


def test_a_secret_may_be_the_content_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text("hidden\n")
    monkeypatch.setenv("WHAT_FILE", str(tmp_path / "secret"))
    assert env.text("WHAT") == "hidden"


@pytest.mark.parametrize(
    ("read", "value", "told"), [(env.integer, "many", "whole number"), (env.boolean, "so", "true or")]
)
def test_a_value_of_the_wrong_kind_is_named(monkeypatch: pytest.MonkeyPatch, read, value: str, told: str) -> None:
    monkeypatch.setenv("WHAT", value)
    with pytest.raises(ImproperlyConfigured, match=f"WHAT must be .*{told}.*{value}"):
        read("WHAT", 1)

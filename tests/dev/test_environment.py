"""The bootstrap: which Python, which pip, and when there is something to do."""

import subprocess
import sys
from pathlib import Path

import pytest

from scripts import environment

NOTHING_TO_INSTALL = "# nothing\n"


def fake_python(folder: Path, *, version: str) -> str:
    program = folder / f"python-{version}"
    program.write_text(f"#!/bin/sh\necho {version}\n")
    program.chmod(0o755)
    return str(program)


def test_the_first_python_that_is_new_enough_is_taken(tmp_path, monkeypatch):
    monkeypatch.delenv("PYTHON", raising=False)
    old, fitting = fake_python(tmp_path, version="3.9"), fake_python(tmp_path, version="3.12")

    assert environment.choose_python(("no-such-program", old, fitting)) == fitting


def test_an_old_python_is_refused_with_its_version(tmp_path, monkeypatch):
    monkeypatch.delenv("PYTHON", raising=False)
    old = fake_python(tmp_path, version="3.9")

    with pytest.raises(environment.EnvironmentRefused, match=r"Python 3\.11 or newer .*python-3\.9 is 3\.9"):
        environment.choose_python((old,))


def test_the_python_that_is_named_is_the_only_candidate(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHON", fake_python(tmp_path, version="3.9"))

    with pytest.raises(environment.EnvironmentRefused):
        environment.choose_python((sys.executable,))


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "requirements-dev.txt"
    path.write_text(NOTHING_TO_INSTALL)
    return path


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """An environment that was made and into which nothing is installed yet."""
    path = tmp_path / ".venv"
    environment.create(path, sys.executable)
    return path


def test_the_environment_is_made_once_per_content_of_the_lock(tmp_path, lock):
    venv = tmp_path / ".venv"

    assert environment.ensure(venv, lock) is True
    assert environment.ensure(venv, lock) is False

    lock.write_text("# something else\n")
    assert environment.ensure(venv, lock) is True
    assert environment.recorded_stamp(venv) == environment.wanted_stamp(lock)


def test_an_installation_that_was_cut_short_is_done_afresh(venv, lock):
    (venv / "half-installed").touch()

    assert environment.ensure(venv, lock) is True
    assert not (venv / "half-installed").exists()


def test_an_environment_whose_python_is_gone_is_made_again(venv, lock):
    (venv / ".installed-from").write_text(environment.wanted_stamp(lock))
    assert environment.ensure(venv, lock) is False
    (venv / "bin" / "python").unlink()

    assert environment.ensure(venv, lock) is True
    assert subprocess.run([venv / "bin" / "python", "-c", ""], check=False).returncode == 0


def test_what_cannot_be_installed_is_an_error_and_leaves_no_stamp(tmp_path, lock):
    venv = tmp_path / ".venv"
    lock.write_text("/no/such/package --hash=sha256:00\n")

    with pytest.raises(environment.EnvironmentRefused, match="pip could not install"):
        environment.ensure(venv, lock)

    assert environment.recorded_stamp(venv) is None

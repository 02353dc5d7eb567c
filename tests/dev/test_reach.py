"""Where PostgreSQL's files go when it may not run as the user who starts it."""

import os
from pathlib import Path

import pytest

from apps.dev import reach


@pytest.fixture
def open_folder(tmp_path: Path) -> Path:
    ours = [folder for folder in (tmp_path, *tmp_path.parents) if "pytest" in str(folder)]
    for folder in ours:
        folder.chmod(0o755)
    return tmp_path


def test_everything_is_reachable_for_ourselves(tmp_path):
    tmp_path.chmod(0o700)

    assert reach.reachable(tmp_path, user=None)
    assert reach.folder_for(tmp_path, user=None) == tmp_path / "postgres"


def test_a_folder_that_others_may_pass_holds_the_data(open_folder):
    assert reach.folder_for(open_folder, user=reach.NOBODY) == open_folder / "postgres"


def test_a_closed_folder_above_moves_the_data_outside_under_a_name_of_its_own(open_folder):
    closed = open_folder / "closed"
    first, second = closed / "first", closed / "second"
    for folder in (first, second):
        folder.mkdir(parents=True)
    closed.chmod(0o700)

    outside = {reach.folder_for(folder, user=reach.NOBODY) for folder in (first, second)}

    assert len(outside) == 2
    assert {folder.parent for folder in outside} == {Path("/var/lib")}
    assert closed.stat().st_mode & 0o777 == 0o700


def test_a_private_folder_is_closed_to_everybody_else(tmp_path):
    folder = reach.private_folder(tmp_path / "data", user=reach.unprivileged_user())

    assert folder.stat().st_mode & 0o777 == 0o700
    assert folder.stat().st_uid == (reach.NOBODY if os.geteuid() == 0 else os.geteuid())

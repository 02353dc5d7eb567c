"""A loop's sign of life is the age of its file."""

from apps.events import heartbeat


def test_a_beat_touches_the_file_of_its_role_and_makes_it_young_again(tmp_path, settings, monkeypatch):
    import os

    settings.HEARTBEAT_DIR = str(tmp_path)
    monkeypatch.setattr(heartbeat, "_last", {})
    heartbeat.beat("relay")
    os.utime(tmp_path / "relay", (0, 0))
    monkeypatch.setattr(heartbeat, "_last", {})

    heartbeat.beat("relay")

    assert (tmp_path / "relay").stat().st_mtime > 1_700_000_000
    assert [path.name for path in tmp_path.iterdir()] == ["relay"]


def test_beating_at_every_turn_writes_once_a_second(tmp_path, settings, monkeypatch):
    settings.HEARTBEAT_DIR = str(tmp_path)
    monkeypatch.setattr(heartbeat, "_last", {})
    heartbeat.beat("relay")
    (tmp_path / "relay").unlink()

    heartbeat.beat("relay")

    assert list(tmp_path.iterdir()) == []


def test_without_a_folder_nothing_is_written(settings, monkeypatch):
    settings.HEARTBEAT_DIR = ""
    monkeypatch.setattr(heartbeat, "_last", {})

    heartbeat.beat("relay")

    assert heartbeat._last == {}

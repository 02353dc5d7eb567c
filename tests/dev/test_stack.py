"""Waiting for the roles of a stack: in words when it takes long, and not for ever."""

import sys

import pytest

from apps.dev import ports, stack
from apps.dev.children import ChildFailed
from apps.dev.roles import Role
from apps.dev.stack import Stack


def test_a_role_that_takes_long_is_named_and_so_are_its_last_words_in_the_end(tmp_path, monkeypatch):
    said: list[str] = []
    monkeypatch.setattr(stack, "_WORD_SECONDS", 0.1)
    monkeypatch.setattr(Stack, "tend", lambda _self: None)
    waiting = Stack(tmp_path, port=ports.free_pair(), surroundings={}, say=said.append)
    (tmp_path / "relay.log").write_text("up\n")
    relay = Role("relay", [sys.executable, "-c", "import time; time.sleep(60)"], logs=tmp_path)
    relay.start({"HEARTBEAT_DIR": str(tmp_path)})
    waiting.roles = {"relay": relay}

    with pytest.raises(ChildFailed) as failure:
        waiting.wait_until_ready(seconds=1)

    assert relay.child is not None
    relay.child.stop()
    assert set(said) == {"Still waiting for relay …"}
    assert str(failure.value) == "Not ready after 1 s:\n  relay:\n    up"

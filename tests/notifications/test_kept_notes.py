"""What is kept of a request and its answer: bounded, without secrets, and storable."""

import json

from apps.notifications.sending import kept_notes


def test_what_names_a_secret_is_hidden_wherever_it_stands():
    kept = kept_notes.fit(
        {
            "headers": {"Webhook-Signature": "v1,abc", "authorization": "Bearer x", "webhook-id": "7"},
            "password": "hunter2",
            "list": [{"Set-Cookie": "session=1"}],
        }
    )

    assert kept == {
        "headers": {"Webhook-Signature": "(hidden)", "authorization": "(hidden)", "webhook-id": "7"},
        "password": "(hidden)",
        "list": [{"Set-Cookie": "(hidden)"}],
    }


def test_long_texts_and_lists_are_cut():
    kept = kept_notes.fit({"body": "x" * 100_000, "many": list(range(1000)), "bytes": b"\xff" * 10})

    assert (len(kept["body"]), kept["body"][-2:]) == (4096, "x…")
    assert kept["many"] == list(range(64))
    assert kept["bytes"] == "\N{REPLACEMENT CHARACTER}" * 10


def test_what_is_nested_too_deep_is_text():
    assert kept_notes.fit({"a": {"b": {"c": {"d": {"e": 1}}}}}) == {"a": {"b": {"c": {"d": "{'e': 1}"}}}}


def test_what_postgresql_refuses_is_replaced():
    kept = kept_notes.fit({"body": "a\x00b\ud800c", "none": float("nan"), "far": float("inf")})

    assert kept == {"body": "a\N{REPLACEMENT CHARACTER}b?c", "none": "nan", "far": "inf"}
    assert json.loads(json.dumps(kept, allow_nan=False)) == kept


def test_an_error_says_its_kind_and_is_cut():
    assert kept_notes.error(ValueError("no")) == "ValueError: no"
    assert kept_notes.error(TimeoutError()) == "TimeoutError"
    assert len(kept_notes.error(ValueError("x" * 5000))) == 1000

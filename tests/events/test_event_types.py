"""Every type is declared once, described by a schema, and never changes incompatibly."""

import copy
import json
from pathlib import Path

import pytest

from apps.events import event_types
from apps.events.errors import InvalidEvent
from tests.events.schema_compatibility import differences
from tests.support.factories import change_data, task_data

BASELINE = Path(__file__).parent / "schema_baseline"
DECLARED = [event_type.name for event_type in event_types.declared()]


def published(name):
    path = BASELINE / f"{name}.json"
    assert path.is_file(), (
        f"{name} has no published schema. A new type: copy apps/events/schemas/{name}.json to "
        f"tests/events/schema_baseline/. From then on it may only gain optional properties."
    )
    return json.loads(path.read_text())


def changed(change):
    """The published schema of `task.updated.v1`, and the same after `change`."""
    before = published("task.updated.v1")
    after = copy.deepcopy(before)
    change(after)
    return list(differences(before, after))


@pytest.mark.parametrize("name", DECLARED)
def test_a_declared_type_has_a_schema_of_its_name(name):
    assert event_types.schema(name)["$id"] == f"urn:todo:event:{name}"


@pytest.mark.parametrize("name", DECLARED)
def test_a_published_schema_changes_compatibly_only(name):
    assert list(differences(published(name), event_types.schema(name))) == []


def test_nothing_that_was_published_is_withdrawn():
    assert sorted(path.stem for path in BASELINE.glob("*.json")) == DECLARED


def test_no_schema_lies_about_without_its_type():
    assert sorted(path.stem for path in event_types.SCHEMA_DIR.glob("*.json")) == DECLARED


def test_a_type_that_is_not_in_the_baseline_fails_with_what_to_do():
    with pytest.raises(AssertionError, match=r"copy apps/events/schemas/task\.archived\.v1\.json to"):
        published("task.archived.v1")


BREAKING = {
    "removed": (
        lambda schema: schema["properties"]["task"]["properties"].pop("title"),
        ["data/task/title: was removed or renamed."],
    ),
    "renamed": (
        lambda schema: schema["properties"].update(task_now=schema["properties"].pop("task")),
        ["data/task: was removed or renamed."],
    ),
    "retyped": (
        lambda schema: schema["properties"]["task"]["properties"]["title"].update(type="number"),
        ["data/task/title: type was 'string', is 'number'."],
    ),
    "made nullable": (
        lambda schema: schema["properties"]["task"]["properties"]["title"].update(type=["string", "null"]),
        ["data/task/title: type was 'string', is ['string', 'null']."],
    ),
    "newly required": (
        lambda schema: (
            schema["properties"].update(why={"type": "string"}),
            schema["required"].append("why"),
        ),
        ["data/why: is newly required."],
    ),
    "no longer required": (
        lambda schema: schema["required"].remove("changes"),
        ["data/changes: is no longer required."],
    ),
    "an enum with one more": (
        lambda schema: schema["properties"]["task"]["properties"]["status"]["enum"].append("archived"),
        [
            (
                "data/task/status: enum was ['pending', 'in_progress', 'completed', 'deleted'], "
                "is ['pending', 'in_progress', 'completed', 'deleted', 'archived']."
            )
        ],
    ),
    "a longer text": (
        lambda schema: schema["properties"]["task"]["properties"]["title"].update(maxLength=600),
        ["data/task/title/maxLength: was 500, is 600."],
    ),
    "a rule more": (
        lambda schema: schema["properties"]["task"]["properties"]["description"].update(minLength=1),
        ["data/task/description: the rule minLength was added."],
    ),
    "deep in an open object": (
        lambda schema: schema["properties"]["changes"]["additionalProperties"]["properties"].pop("before"),
        ["data/changes/additionalProperties/before: was removed or renamed."],
    ),
}


@pytest.mark.parametrize(("change", "told"), BREAKING.values(), ids=BREAKING)
def test_the_checker_refuses(change, told):
    assert changed(change) == told


@pytest.mark.parametrize(
    "change",
    [
        lambda schema: schema["properties"]["task"]["properties"].update(colour={"type": "string"}),
        lambda schema: schema.update(description="Said better."),
        lambda schema: schema["properties"]["task"]["properties"]["status"]["enum"].reverse(),
        lambda schema: schema["required"].reverse(),
    ],
    ids=[
        "an added optional property",
        "other words",
        "another order of an enum",
        "another order of required",
    ],
)
def test_the_checker_accepts(change):
    assert changed(change) == []


def test_a_name_cannot_be_declared_twice():
    with pytest.raises(ValueError, match=r"The event type task\.created\.v1 is declared twice"):
        event_types.declare("task.created.v1", topic="elsewhere")

    assert event_types.find("task.created.v1").topic == "task-events"


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("task.created.v1", {}, '"task" is a required property'),
        ("task.created.v1", task_data(title=""), "task/title"),
        ("task.created.v1", task_data(title="x" * 501), "task/title"),
        ("task.created.v1", task_data(due_at="tomorrow"), "task/due_at"),
        ("task.created.v1", task_data(status="open"), "task/status"),
        ("task.updated.v1", task_data(), '"changes" is a required property'),
        ("task.updated.v1", change_data() | {"changes": {}}, "changes"),
        ("task.updated.v1", change_data() | {"changes": {"title": {"after": "x"}}}, "changes/title"),
    ],
)
def test_data_that_breaks_its_schema_is_refused_naming_the_field(name, data, reason):
    with pytest.raises(InvalidEvent, match=reason):
        event_types.check_data(name, data, exact=False)


def test_consumers_let_unknown_fields_pass_where_producers_may_not_add_them():
    data = task_data(colour="red")

    event_types.check_data("task.created.v1", data, exact=False)
    with pytest.raises(InvalidEvent, match="colour"):
        event_types.check_data("task.created.v1", data, exact=True)


@pytest.mark.parametrize(("name", "snapshot"), [("thing.snapshot.v1", False), ("thing.happened.v1", True)])
def test_a_snapshot_and_only_a_snapshot_is_called_one(name, snapshot, monkeypatch):
    """The database knows by the name what it may let go of sooner."""
    monkeypatch.setattr(event_types, "_declared", {})

    with pytest.raises(ValueError, match="Snapshots, and only they"):
        event_types.declare(name, topic="things", snapshot=snapshot)

    assert event_types.declared() == []

"""All of a person's things are purged in steps, and nothing is made for who was erased."""

import pytest
from django.db import IntegrityError, transaction

from apps.accounts import services as accounts
from apps.tasks import services
from apps.tasks.models import Tag, Task, TaskList
from tests.support.factories import NOW, facts, person, task_of

pytestmark = pytest.mark.django_db

MAKING = {
    "task": task_of,
    "list": lambda owner: services.create_list(owner=owner, actor=owner, name="Home", now=NOW),
    "tag": lambda owner: services.create_tag(owner=owner, actor=owner, name="home", now=NOW),
}


@pytest.mark.parametrize("make", MAKING.values(), ids=MAKING)
def test_nothing_is_made_for_who_was_erased(make):
    owner = person()
    accounts.deactivate(user_id=owner.pk, now=NOW)
    accounts.erase(user_id=owner.pk, actor=None, now=NOW)

    with pytest.raises(IntegrityError, match="was erased"), transaction.atomic():
        make(owner)

    assert not (Task.objects.exists() or TaskList.objects.exists() or Tag.objects.exists())
    assert facts().values_list("type", flat=True).get() == "account.erased.v1"


@pytest.mark.parametrize("make", MAKING.values(), ids=MAKING)
def test_for_who_is_only_deactivated_things_may_still_be_made(make):
    owner = person(is_active=False)

    make(owner)

    assert facts().count() == 1


def test_a_step_takes_what_has_no_parts_first_and_each_goes_with_its_event():
    owner, other = person(), person()
    top = task_of(owner, title="Top", tags=["home"])
    middle = task_of(owner, title="Middle", parent=top.pk)
    bottom = task_of(owner, title="Bottom", parent=middle.pk)
    home = services.create_list(owner=owner, actor=owner, name="Home", now=NOW)
    hers = task_of(other)
    before = facts().count()

    steps = [services.purge_owner(owner_id=owner.pk, now=NOW) for _ in range(6)]

    assert steps == [1, 1, 1, 1, 1, 0]
    told = facts().values_list("type", "subject_id", "actor_id")[before:]
    assert list(told) == [
        ("task.purged.v1", bottom.pk, None),
        ("task.purged.v1", middle.pk, None),
        ("task.purged.v1", top.pk, None),
        ("list.deleted.v1", home.pk, None),
        ("tag.deleted.v1", facts().filter(type="tag.deleted.v1").get().subject_id, None),
    ]
    assert Task.objects.get() == hers


def test_a_step_takes_no_more_than_it_may():
    owner = person()
    for _ in range(5):
        task_of(owner)

    assert [services.purge_owner(owner_id=owner.pk, now=NOW, most=2) for _ in range(4)] == [2, 2, 1, 0]

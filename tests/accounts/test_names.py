"""Names: two that look alike are one, whatever their capitals and whichever way they are encoded."""

import threading
import unicodedata
from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, connections, transaction
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from apps.accounts import services
from apps.accounts.exceptions import UsernameTaken
from apps.accounts.models import FailedSignIns, User, look_of
from tests.support.factories import person

pytestmark = pytest.mark.django_db

PASSWORD = "a-good-password"
HERE = "198.51.100.7"
EXPANDED = unicodedata.normalize("NFKC", "\ufdfa" * 150)
E_ACUTE, E_AND_ACUTE = "\u00e9", "e\u0301"
ALIKE = [
    ("ada", "Ada"),
    ("ada", "\uff41\uff44\uff41"),
    ("ren" + E_ACUTE, "REN" + E_AND_ACUTE),
    ("stra\u00dfe", "STRASSE"),
    ("odysseu\u03c2", "odysseu\u03c3"),
    ("kelvin", "\u212aelvin"),
    ("file", "\ufb01le"),
]


def sign_up(username):
    return services.sign_up(username=username, email="x@example.org", password=PASSWORD, time_zone="UTC")


def sign_up_at_the_page(username):
    form = {"username": username, "email": "x@example.org", "password": "Xq9-long-enough", "time_zone": "UTC"}
    return Client().post("/sign-up/", form)


@pytest.mark.parametrize(("first", "second"), [*ALIKE, *(pair[::-1] for pair in ALIKE)])
def test_nobody_signs_up_with_a_name_that_looks_like_anothers(first, second):
    sign_up(first)

    with pytest.raises(UsernameTaken):
        sign_up(second)
    answer = sign_up_at_the_page(second)

    assert "Somebody has this username already." in answer.content.decode()
    assert User.objects.count() == 1


def test_names_that_differ_are_two():
    for name in ("ada", "adah", "ad\u00e4", "ada.", "0da"):
        sign_up(name)

    assert User.objects.count() == 5


def test_the_database_itself_refuses_a_second_name_of_one_look():
    person("ada")

    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create(username="ADA")

    assert User.objects.count() == 1


def test_the_longest_name_that_grows_when_folded_is_kept():
    name = "\u0390" * 150

    assert User.objects.get(pk=sign_up(name).pk).look == look_of(name)


def test_a_person_renamed_past_a_whole_save_keeps_name_and_look_together():
    ada = person("ada")
    ada.username = "Grace"

    ada.save(update_fields=["username"])

    assert User.objects.get().look == "grace"


def test_the_admin_renames_nobody_to_the_look_of_another(client):
    boss = person("boss", is_staff=True, is_superuser=True)
    person("ada")
    client.force_login(boss)
    form = {"username": "A\uff24A", "time_zone": "UTC", "is_active": "on", "is_staff": "on", "is_superuser": "on"}
    form |= {"date_joined_0": "20/11/2026", "date_joined_1": "09:00:00"}

    answer = client.post(reverse("admin:accounts_user_change", args=[boss.pk]), form)

    assert answer.status_code == 200
    assert "Somebody has this username already." in answer.content.decode()
    assert set(User.objects.values_list("username", flat=True)) == {"ada", "boss"}


def test_the_admin_saves_a_person_under_their_own_name(client):
    boss = person("boss", is_staff=True, is_superuser=True)
    client.force_login(boss)
    form = {"username": "Boss", "time_zone": "UTC", "is_active": "on", "is_staff": "on", "is_superuser": "on"}
    form |= {"date_joined_0": "20/11/2026", "date_joined_1": "09:00:00"}

    client.post(reverse("admin:accounts_user_change", args=[boss.pk]), form)

    assert User.objects.values_list("username", "look").get() == ("Boss", "boss")


@pytest.mark.django_db(transaction=True)
def test_of_many_who_want_one_look_at_once_one_gets_it():
    names = ["ada", "Ada", "ADA", "aDa"]
    start, outcomes = threading.Barrier(len(names)), []

    def want(name):
        start.wait()
        try:
            sign_up(name)
            outcomes.append("made")
        except UsernameTaken:
            outcomes.append("taken")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=want, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["made", "taken", "taken", "taken"]
    assert User.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_password_is_hashed_before_anybody_waits_for_a_transaction(monkeypatch):
    within, real = [], MD5PasswordHasher.encode
    monkeypatch.setattr(
        MD5PasswordHasher, "encode", lambda *words: within.append(connection.in_atomic_block) or real(*words)
    )

    sign_up("ada")

    assert within == [False]


@pytest.mark.parametrize("typed", ["ren" + E_ACUTE, "ren" + E_AND_ACUTE])
@pytest.mark.parametrize(
    ("path", "client", "opened"), [("/api/v1/auth/token/", APIClient, 200), ("/sign-in/", Client, 302)]
)
def test_a_name_opens_every_door_however_its_letters_are_encoded(typed, path, client, opened):
    sign_up("ren" + E_ACUTE)

    assert client().post(path, {"username": typed, "password": PASSWORD}).status_code == opened


@pytest.mark.parametrize(("path", "client"), [("/api/v1/auth/token/", APIClient), ("/sign-in/", Client)])
def test_ways_of_writing_one_name_are_one_name_to_the_back_off(path, client):
    sign_up("ren" + E_ACUTE)
    ways = ["ren" + E_ACUTE, "ren" + E_AND_ACUTE, "\uff52en" + E_ACUTE] * 2

    statuses = [
        client().post(path, {"username": way, "password": "wrong"}, REMOTE_ADDR=HERE).status_code for way in ways
    ]

    assert statuses[5] == 429
    assert FailedSignIns.objects.exclude(username="").values_list("username", "failures").get() == ("ren" + E_ACUTE, 5)


@pytest.mark.parametrize(
    ("path", "client", "status"), [("/api/v1/auth/token/", APIClient, 401), ("/sign-in/", Client, 200)]
)
def test_a_name_that_expands_is_nobodys_and_its_key_is_bounded(path, client, status):
    answer = client().post(path, {"username": "\ufdfa" * 150, "password": "wrong"}, REMOTE_ADDR=HERE)

    assert answer.status_code == status
    assert sorted(FailedSignIns.objects.values_list("username", flat=True)) == ["", EXPANDED[:150]]


def test_of_names_that_looked_alike_before_the_eldest_gets_the_look():
    """Nobody loses an account by the migration, and whoever has no look is told when their name is next changed."""
    eldest, younger, other = person("ada"), person("grace"), person("zoe")
    User.objects.update(look=None)
    User.objects.filter(pk=younger.pk).update(username="ADA")

    with connection.schema_editor() as editor:
        import_module("apps.accounts.migrations.0003_looks_of_names").fill(apps, editor)

    assert dict(User.objects.values_list("pk", "look")) == {eldest.pk: "ada", younger.pk: None, other.pk: "zoe"}
    with pytest.raises(ValidationError) as refusal:
        User.objects.get(pk=younger.pk).full_clean()
    assert refusal.value.message_dict == {"username": ["Somebody has this username already. Choose another."]}

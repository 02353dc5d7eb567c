"""People and their credentials in the admin: saved through services, revocable, and no hash to be read."""

from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from apps.accounts import backoff, credentials, jwts, services
from apps.accounts.models import FailedSignIns, PersonalToken, SignIn, User
from apps.events.models import Event
from tests.support.factories import NOW, person

pytestmark = pytest.mark.django_db


@pytest.fixture
def boss():
    return person("boss", is_staff=True, is_superuser=True)


@pytest.fixture
def admin(boss):
    client = Client()
    client.force_login(boss)
    return client


def form_of(user, **changes):
    fields = {
        "username": user.username,
        "email": user.email,
        "first_name": "",
        "last_name": "",
        "time_zone": user.time_zone,
        "is_active": "on",
        "date_joined_0": "20/11/2026",
        "date_joined_1": "09:00:00",
        "last_login_0": "",
        "last_login_1": "",
    }
    return {name: value for name, value in (fields | changes).items() if value is not None}


def change(admin, user, **changes):
    return admin.post(reverse("admin:accounts_user_change", args=[user.pk]), form_of(user, **changes))


def act(admin, model, action, *rows):
    chosen = {"action": action, "_selected_action": [str(row.pk) for row in rows]}
    return admin.post(reverse(f"admin:accounts_{model}_changelist"), chosen)


def test_another_time_zone_is_an_event_of_the_administrator(admin, boss, ada):
    assert change(admin, ada, time_zone="Europe/London").status_code == 302

    event = Event.objects.get()
    assert (event.type, event.owner_id, event.actor_id) == ("account.time_zone_changed.v1", ada.pk, boss.pk)
    assert event.data == {"time_zone": {"before": "UTC", "after": "Europe/London"}}
    assert User.objects.get(pk=ada.pk).time_zone == "Europe/London"


def test_other_fields_are_saved_and_are_no_event(admin, ada):
    change(admin, ada, first_name="Ada")

    assert User.objects.get(pk=ada.pk).first_name == "Ada"
    assert not Event.objects.exists()


def test_an_old_form_does_not_take_a_newer_time_zone_back_without_a_trace(admin, ada, monkeypatch):
    """Between reading the row and saving it somebody else moves."""
    real = services.locked

    def moved_meanwhile(user_id):
        User.objects.filter(pk=user_id).update(time_zone="Asia/Tokyo")
        return real(user_id)

    monkeypatch.setattr(services, "locked", moved_meanwhile)

    change(admin, ada, first_name="Ada")

    assert User.objects.get(pk=ada.pk).time_zone == "Asia/Tokyo"


def test_a_wrong_time_zone_is_told_and_nothing_saved(admin, ada):
    response = change(admin, ada, time_zone="Mars/Olympus", first_name="Ada")

    assert "is no time zone" in response.content.decode()
    assert User.objects.get(pk=ada.pk).first_name == ""


def test_deactivating_ends_the_sign_ins_for_good(admin, ada):
    sign_in = credentials.start_sign_in(user=ada, now=NOW)

    change(admin, ada, is_active=None)

    assert not User.objects.get(pk=ada.pk).is_active
    assert SignIn.objects.get(pk=sign_in.pk).ended_because == SignIn.Ended.DEACTIVATED


def test_who_is_put_out_and_let_in_again_here_comes_in_by_nothing_they_had(admin, ada, bearer, personal):
    """By no personal token, refresh token, or browser; by their password."""
    browser, script, boss_script = Client(), bearer(personal(ada)), bearer(personal(User.objects.get(username="boss")))
    browser.force_login(ada)
    sign_in = bearer(jwts.pair_of(credentials.start_sign_in(user=ada, now=datetime.now(UTC)))["access"])
    callers = (browser, script, sign_in)
    before = [caller.get("/api/v1/me/").status_code for caller in callers]

    change(admin, ada, is_active=None)
    change(admin, ada, is_active="on")

    assert before == [200, 200, 200]
    assert User.objects.get(pk=ada.pk).is_active
    assert [caller.get("/api/v1/me/").status_code for caller in callers] == [401, 401, 401]
    assert boss_script.get("/api/v1/me/").status_code == 200
    assert Client().post("/sign-in/", {"username": "ada", "password": "a-good-password"}).status_code == 302


@pytest.mark.parametrize(
    ("form", "usable"),
    [
        ({"password1": "Xq9-long-enough", "password2": "Xq9-long-enough", "usable_password": "true"}, True),
        ({"password1": "", "password2": "", "usable_password": "false", "unset-password": "1"}, False),
    ],
)
def test_a_password_set_or_taken_away_here_ends_the_sign_ins(admin, ada, form, usable):
    sign_in = credentials.start_sign_in(user=ada, now=NOW)

    response = admin.post(reverse("admin:auth_user_password_change", args=[ada.pk]), form)

    assert response.status_code == 302
    assert User.objects.get(pk=ada.pk).has_usable_password() is usable
    assert SignIn.objects.get(pk=sign_in.pk).ended_because == SignIn.Ended.PASSWORD_CHANGED


def test_people_are_found_by_name_and_by_id_and_filtered(admin, ada):
    people = reverse("admin:accounts_user_changelist")

    found = [
        [user.username for user in admin.get(people, query).context["cl"].result_list]
        for query in ({"q": "ada"}, {"q": str(ada.pk)}, {"is_staff__exact": "1"}, {"q": "nobody"})
    ]

    assert found == [["ada"], ["ada"], ["boss"], []]


def test_tokens_sign_ins_and_failures_are_seen_without_their_hashes(admin, ada):
    made = credentials.create_personal_token(user=ada, name="Backup", scopes=["read"], expires_at=None, now=NOW)
    sign_in = credentials.start_sign_in(user=ada, now=NOW)
    backoff.begin_attempt(username="ada", address="198.51.100.7")
    rows = {"personaltoken": made.row, "signin": sign_in, "failedsignins": FailedSignIns.objects.get()}

    pages = {
        model: admin.get(reverse(f"admin:accounts_{model}_changelist")).content.decode()
        + admin.get(reverse(f"admin:accounts_{model}_change", args=[row.pk])).content.decode()
        for model, row in rows.items()
    }

    assert "Backup" in pages["personaltoken"]
    assert "198.51.100.7" in pages["failedsignins"]
    for secret in (made.row.digest, made.secret, sign_in.password_mark, str(sign_in.token_id)):
        assert secret not in "".join(pages.values())


def test_a_token_is_revoked_here(admin, ada):
    made = credentials.create_personal_token(user=ada, name="x", scopes=["read"], expires_at=None, now=NOW)

    act(admin, "personaltoken", "revoke", made.row)

    assert PersonalToken.objects.get().revoked_at is not None


def test_a_sign_in_is_ended_here_one_by_one_and_all_of_a_person(admin, ada):
    first, second, third = (credentials.start_sign_in(user=ada, now=datetime.now(UTC)) for _ in range(3))

    act(admin, "signin", "end", first)
    ended = set(SignIn.objects.exclude(ended_at=None))
    act(admin, "user", "end_sign_ins", ada)

    assert ended == {first}
    assert set(SignIn.objects.filter(ended_because=SignIn.Ended.BY_ADMIN)) == {first, second, third}


def test_failures_are_forgotten_here(admin, ada):
    backoff.begin_attempt(username="ada", address="198.51.100.7")

    act(admin, "failedsignins", "forget", FailedSignIns.objects.get())

    assert not FailedSignIns.objects.exists()


@pytest.mark.parametrize("model", ["personaltoken", "signin", "failedsignins"])
def test_nothing_is_made_changed_or_deleted_here(admin, ada, model):
    made = credentials.create_personal_token(user=ada, name="x", scopes=["read"], expires_at=None, now=NOW)
    sign_in = credentials.start_sign_in(user=ada, now=NOW)
    backoff.begin_attempt(username="ada", address="198.51.100.7")
    row = {"personaltoken": made.row, "signin": sign_in, "failedsignins": FailedSignIns.objects.get()}[model]
    paths = [
        reverse(f"admin:accounts_{model}_add"),
        reverse(f"admin:accounts_{model}_change", args=[row.pk]),
        reverse(f"admin:accounts_{model}_delete", args=[row.pk]),
    ]

    assert [admin.post(path, {"post": "yes"}).status_code for path in paths] == [403, 403, 403]
    assert type(row).objects.filter(pk=row.pk).exists()


def test_who_may_only_look_revokes_nothing(ada):
    onlooker = person("onlooker", is_staff=True)
    onlooker.user_permissions.add(Permission.objects.get(codename="view_personaltoken"))
    client = Client()
    client.force_login(onlooker)
    made = credentials.create_personal_token(user=ada, name="x", scopes=["read"], expires_at=None, now=NOW)

    act(client, "personaltoken", "revoke", made.row)

    assert PersonalToken.objects.get().revoked_at is None

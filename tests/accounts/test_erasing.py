"""What is left of an erased person is a row that nobody comes back through."""

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import IntegrityError, transaction

from apps.accounts import credentials, services
from apps.accounts.exceptions import AccountErased, StaffNotErased, StillActive
from apps.accounts.models import SocketTicket, User
from apps.events.models import Event
from tests.support.factories import NOW, person

pytestmark = pytest.mark.django_db


@pytest.fixture
def erased():
    ada = person("ada")
    services.deactivate(user_id=ada.pk, now=NOW)
    return services.erase(user_id=ada.pk, actor=None, now=NOW)


def rows():
    return list(User.objects.order_by("pk").values())


def test_rights_groups_and_credentials_go():
    ada = person("ada")
    ada.groups.add(Group.objects.create(name="testers"))
    ada.user_permissions.add(Permission.objects.first())
    credentials.start_sign_in(user=ada, now=NOW)
    credentials.create_personal_token(user=ada, name="laptop", scopes=["read"], expires_at=None, now=NOW)
    credentials.issue_ticket(user=ada)
    services.deactivate(user_id=ada.pk, now=NOW)

    services.erase(user_id=ada.pk, actor=None, now=NOW)

    assert (ada.groups.count(), ada.user_permissions.count()) == (0, 0)
    assert (ada.sign_ins.count(), ada.personal_tokens.count(), SocketTicket.objects.count()) == (0, 0, 0)


def test_who_may_still_come_in_is_not_erased():
    ada = person("ada")
    before = rows()

    with pytest.raises(StillActive):
        services.erase(user_id=ada.pk, actor=None, now=NOW)

    assert rows() == before
    assert Event.objects.count() == 0


@pytest.mark.parametrize("rights", [{"is_staff": True}, {"is_superuser": True}])
def test_staff_are_not_erased(rights):
    ada = person("ada", is_active=False, **rights)
    before = rows()

    with pytest.raises(StaffNotErased, match="Take their staff and superuser status away"):
        services.erase(user_id=ada.pk, actor=None, now=NOW)

    assert rows() == before
    assert Event.objects.count() == 0


SERVICES = {
    "erase": lambda pk: services.erase(user_id=pk, actor=None, now=NOW),
    "change_profile": lambda pk: services.change_profile(
        user_id=pk, actor=User.objects.get(pk=pk), changes={"email": "ada@example.org"}, now=NOW
    ),
    "change_password": lambda pk: services.change_password(user_id=pk, password="a-good-password", now=NOW),
    "deactivate": lambda pk: services.deactivate(user_id=pk, now=NOW),
}


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_no_service_touches_an_erased_person_again(erased, service):
    before = rows()

    with pytest.raises(AccountErased, match="erased at 2026-11-20 09:00 UTC"):
        service(erased.pk)

    assert rows() == before
    assert Event.objects.count() == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"is_active": True},
        {"is_staff": True},
        {"is_superuser": True},
        {"email": "ada@example.org"},
        {"first_name": "Ada"},
        {"last_name": "Lovelace"},
        {"time_zone": "Europe/London"},
        {"last_login": NOW},
        {"username": "ada"},
        {"password": "pbkdf2_sha256$1$salt$hash"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_the_database_refuses_to_bring_an_erased_person_back(erased, changes):
    before = rows()

    with pytest.raises(IntegrityError, match="erased_person_is_nobody"), transaction.atomic():
        User.objects.filter(pk=erased.pk).update(**changes)

    assert rows() == before


def test_the_admin_shows_an_erased_person_and_changes_nothing(admin_client, erased):
    before = rows()
    page = f"/admin/accounts/user/{erased.pk}/change/"

    shown = admin_client.get(page)
    saved = admin_client.post(page, {"username": "ada", "is_active": "on"})
    password = admin_client.post(f"/admin/accounts/user/{erased.pk}/password/", {"password1": "x", "password2": "x"})

    assert shown.status_code == 200
    assert 'name="is_active"' not in shown.content.decode()
    assert (saved.status_code, password.status_code) == (403, 403)
    assert [row for row in rows() if row["id"] == erased.pk] == [row for row in before if row["id"] == erased.pk]


def test_the_name_is_all_of_the_id_should_somebody_have_taken_the_end_of_it():
    ada = person("ada")
    person(f"Erased-{ada.pk.hex[-12:]}")
    services.deactivate(user_id=ada.pk, now=NOW)

    assert services.erase(user_id=ada.pk, actor=None, now=NOW).username == f"erased-{ada.pk.hex}"


def test_the_name_is_free_again(erased):
    assert services.sign_up(username="ada", email="", password="a-good-password", time_zone="UTC").pk != erased.pk


def test_without_an_address_only_failures_for_the_name_are_forgotten():
    from apps.accounts.models import FailedSignIns

    ada = person("ada")
    User.objects.filter(pk=ada.pk).update(email="")
    for name in ("ada", "ADA", "", "grace"):
        FailedSignIns.objects.create(username=name, address="192.0.2.1", failures=1, forgotten_at=NOW)
    services.deactivate(user_id=ada.pk, now=NOW)

    services.erase(user_id=ada.pk, actor=None, now=NOW)

    assert set(FailedSignIns.objects.values_list("username", flat=True)) == {"", "grace"}

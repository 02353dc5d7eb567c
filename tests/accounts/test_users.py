"""People: whose time zone is one that there is, and whom nobody deletes."""

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from apps.accounts.models import User
from tests.support.factories import person

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client):
    client.force_login(person("boss", is_staff=True, is_superuser=True))
    return client


def test_a_person_has_a_time_ordered_id_and_lives_in_utc_at_first():
    ada = person("ada")

    assert (ada.pk.version, ada.time_zone) == (7, "UTC")


@pytest.mark.parametrize("zone", ["Europe/London", "America/Argentina/Buenos_Aires", "UTC"])
def test_a_time_zone_of_the_database_is_accepted(zone):
    person("ada", time_zone=zone).full_clean()


@pytest.mark.parametrize("zone", ["", "London", "europe/london", "../etc/passwd", "Mars/Olympus"])
def test_any_other_time_zone_is_refused(zone):
    with pytest.raises(ValidationError) as refusal:
        person("ada", time_zone=zone).full_clean()

    assert list(refusal.value.message_dict) == ["time_zone"]


def test_passwords_are_kept_hashed():
    assert "a-good-password" not in person("ada").password


def test_the_admin_adds_a_person_with_a_time_zone(admin):
    form = {
        "username": "ada",
        "usable_password": "true",
        "password1": "Xq9-long-enough",
        "password2": "Xq9-long-enough",
        "email": "ada@example.org",
        "time_zone": "Europe/London",
    }

    response = admin.post(reverse("admin:accounts_user_add"), form)

    assert response.status_code == 302
    assert User.objects.get(username="ada").time_zone == "Europe/London"


def test_nobody_is_deleted(admin):
    ada = person("ada")

    response = admin.post(reverse("admin:accounts_user_delete", args=[ada.pk]), {"post": "yes"})
    admin.post(
        reverse("admin:accounts_user_changelist"),
        {"action": "delete_selected", "_selected_action": [str(ada.pk)], "post": "yes"},
    )

    assert response.status_code == 403
    assert User.objects.filter(pk=ada.pk).exists()

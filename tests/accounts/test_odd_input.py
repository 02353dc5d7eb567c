"""What no person types: every door answers it with a refusal, never with a fault of ours."""

import pytest
from django.test import Client
from rest_framework.test import APIClient

from apps.accounts.models import SignIn, User

pytestmark = pytest.mark.django_db

BOUNDARY = "a-boundary"
ODD = {
    "a NUL": b"a\x00b",
    "bytes that are no UTF-8": b"\xff\xfe\xed\xa0\x80",
    "a surrogate in UTF-7": b"+2AA-",
    "a surrogate as an escape": b"\\ud800",
    "a million letters": b"x" * 1_000_000,
    "an overlong name": b"x" * 151,
    "a name that expands": "\ufdfa".encode() * 150,
    "a text that turns round": "\u202eada".encode(),
}
DOORS = {
    "/sign-in/": ("username", "password"),
    "/sign-up/": ("username", "email", "password", "time_zone"),
    "/password/reset/": ("email",),
    "/password/change/": ("old_password", "new_password1", "new_password2"),
    "/admin/login/": ("username", "password"),
    "/api/v1/auth/token/": ("username", "password"),
    "/api/v1/auth/refresh/": ("refresh",),
    "/api/v1/auth/logout/": ("refresh",),
    "/api/v1/me/": ("email", "first_name", "time_zone"),
    "/api/v1/tokens/": ("name", "scopes", "expires_at"),
    "/api/v1/ws-ticket/": ("anything",),
}
# Of what Django would decode by, these can say half a character, or nothing at all.
REFUSED = ["utf-7", "raw_unicode_escape", "utf-16", "idna", "nosuch"]


def urlencoded(fields):
    written = b"&".join(
        name + b"=" + b"".join(b"%%%02X" % byte for byte in value) if len(value) < 1000 else name + b"=" + value
        for name, value in fields
    )
    return "application/x-www-form-urlencoded", written


def multipart(fields):
    parts = [
        b'--%s\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (BOUNDARY.encode(), name, value)
        for name, value in fields
    ]
    return f"multipart/form-data; boundary={BOUNDARY}", b"".join(parts) + b"--%s--\r\n" % BOUNDARY.encode()


def send(client, door, kind, body):
    return client.generic("PATCH" if door == "/api/v1/me/" else "POST", door, body, content_type=kind)


@pytest.fixture
def callers(ada):
    stranger, known = Client(raise_request_exception=False), Client(raise_request_exception=False)
    known.force_login(ada)
    known_by_token = APIClient(raise_request_exception=False)
    known_by_token.force_authenticate(ada)
    return {"/password": known, "/sign-": stranger, "/admin": stranger, "/api/": known_by_token}


@pytest.mark.parametrize("written", [urlencoded, multipart])
@pytest.mark.parametrize("door", DOORS)
def test_no_odd_text_in_a_form_is_a_fault_of_ours(settings, callers, door, written):
    settings.THROTTLE_ADDRESS_PER_MINUTE = settings.THROTTLE_PERSON_PER_MINUTE = 10**6
    client = next(client for start, client in callers.items() if door.startswith(start))
    statuses = {}
    for what, text in ODD.items():
        for place in DOORS[door]:
            fields = [(name.encode(), text if name == place else b"x") for name in DOORS[door]]
            kind, body = written(fields)
            statuses[what, place] = send(client, door, kind, body).status_code
        kind, body = written([(text[:200], b"x"), *((name.encode(), b"x") for name in DOORS[door])])
        statuses[what, "the name of a field"] = send(client, door, kind, body).status_code

    assert {case: status for case, status in statuses.items() if status >= 500} == {}
    assert User.objects.count() == 1
    assert not SignIn.objects.exists()


@pytest.mark.parametrize("charset", REFUSED)
@pytest.mark.parametrize("door", DOORS)
def test_a_form_in_another_encoding_is_refused_before_it_is_read(callers, door, charset):
    client = next(client for start, client in callers.items() if door.startswith(start))
    kind, body = multipart([(name.encode(), ODD["a surrogate in UTF-7"]) for name in DOORS[door]])

    answer = send(client, door, f"{kind}; charset={charset}", body)

    assert answer.status_code == 415
    assert "Write the request in UTF-8." in answer.content.decode()


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", '"utf-8"', "us-ascii"])
def test_saying_utf_8_aloud_is_fine(callers, charset):
    body = b'{"username": "ada", "password": "a-good-password"}'

    answer = callers["/sign-"].generic("POST", "/api/v1/auth/token/", body, f"application/json; charset={charset}")

    assert answer.status_code == 200


def test_an_address_is_read_as_utf_8_whatever_the_request_says(callers):
    answer = callers["/sign-"].generic("GET", "/sign-in/?next=%2B2AA-", b"x", "text/plain; charset=utf-7")

    assert answer.status_code == 415


def test_without_the_refusal_half_a_character_would_be_a_fault(settings, callers):
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if name != "todo_project.charsets.OnlyUTF8"]
    kind, body = multipart([(b"username", ODD["a surrogate in UTF-7"]), (b"password", b"x")])

    assert send(callers["/sign-"], "/sign-in/", f"{kind}; charset=utf-7", body).status_code == 500

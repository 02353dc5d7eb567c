"""Personal tokens: shown once, kept as a hash, no further than their scopes, and nobody else's business."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from apps.accounts import credentials
from apps.accounts.models import PersonalToken, SocketTicket, User
from apps.tasks.models import Task

pytestmark = pytest.mark.django_db

TOKENS, ME, TASKS = "/api/v1/tokens/", "/api/v1/me/", "/api/v1/tasks/"
WANTED = {"name": "Backup", "scopes": ["read"]}


def at(token):
    return f"{TOKENS}{token.pk}/"


def test_a_token_is_shown_once_and_expires_in_ninety_days(browser, ada):
    response = browser.post(TOKENS, WANTED)

    told, row = response.json(), PersonalToken.objects.get()
    assert response.status_code == 201
    assert response.headers["Location"] == told["url"]
    assert "no-store" in response.headers["Cache-Control"]
    assert re.fullmatch(r"todo_pat_[\w-]{43}", told["token"])
    assert told["prefix"] == row.prefix == told["token"][:13]
    assert row.expires_at - row.created_at == timedelta(days=90)
    assert (row.user, row.name, row.scopes) == (ada, "Backup", ["read"])
    assert "token" not in browser.get(at(row)).json()
    assert "token" not in browser.get(TOKENS).json()["results"][0]


def test_the_secret_stands_nowhere_in_the_database_nor_in_a_log_line(browser, bearer, caplog):
    caplog.set_level("DEBUG")
    secret = browser.post(TOKENS, WANTED).json()["token"]
    bearer(secret).get(ME)

    with connection.cursor() as cursor:
        cursor.execute("SELECT t::text FROM accounts_personaltoken t")
        (row,) = cursor.fetchone()
    assert secret not in row
    assert secret[13:] not in row
    assert secret[13:] not in caplog.text


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["admin"]}, "scopes"),
        ({"scopes": "read"}, "scopes"),
        ({"scopes": {"read": 1}}, "scopes"),
        ({"expires_at": (datetime.now(UTC) - timedelta(minutes=1)).isoformat()}, "expires_at"),
        ({"expires_at": (datetime.now(UTC) + timedelta(days=367)).isoformat()}, "expires_at"),
        ({"user": "somebody"}, "user"),
    ],
)
def test_what_a_token_cannot_be_is_refused(browser, change, field):
    response = browser.post(TOKENS, WANTED | change)

    assert response.status_code == 400
    assert [error["field"] for error in response.json()["errors"]] == [field]
    assert not PersonalToken.objects.exists()


def test_a_token_may_live_for_366_days(browser):
    expires_at = datetime.now(UTC) + timedelta(days=366) - timedelta(minutes=1)

    assert browser.post(TOKENS, WANTED | {"expires_at": expires_at.isoformat()}).status_code == 201


def test_a_read_token_reads_and_changes_nothing(ada, bearer, personal):
    client = bearer(personal(ada, "read"))

    refusal = client.post(TASKS, {"title": "Buy milk"})

    assert [client.get(TASKS).status_code, client.head(TASKS).status_code, client.options(TASKS).status_code] == [
        200,
        200,
        200,
    ]
    assert refusal.status_code == 403
    assert refusal.json()["detail"] == "This personal token may only read. Make one with the scope `write`."
    assert not Task.objects.exists()


def test_a_write_token_reads_and_changes(ada, bearer, personal):
    client = bearer(personal(ada, "write"))

    assert client.post(TASKS, {"title": "Buy milk"}).status_code == 201
    assert client.get(TASKS).status_code == 200


FORBIDDEN = [
    ("get", TOKENS, {}),
    ("post", TOKENS, WANTED),
    ("post", "/api/v1/ws-ticket/", {}),
    ("post", "/api/v1/auth/logout/", {}),
    ("patch", ME, {"email": "mine@example.org"}),
]


@pytest.mark.parametrize("forbidden", FORBIDDEN, ids=lambda forbidden: " ".join(forbidden[:2]))
def test_a_token_makes_no_tokens_opens_no_sockets_and_takes_no_account_over(ada, bearer, personal, forbidden):
    method, path, body = forbidden
    client = bearer(personal(ada, "write"))

    response = getattr(client, method)(path, body)

    assert response.status_code == 403
    assert "Sign in with your password." in response.json()["detail"]
    assert PersonalToken.objects.count() == 1
    assert not SocketTicket.objects.exists()
    assert User.objects.get(pk=ada.pk).email == "ada@example.org"


def test_a_token_does_not_revoke_itself(ada, bearer, personal):
    client, token = bearer(personal(ada)), PersonalToken.objects.get()

    assert [client.get(at(token)).status_code, client.delete(at(token)).status_code] == [403, 403]
    assert PersonalToken.objects.get().revoked_at is None


def test_a_write_token_may_change_the_time_zone(ada, bearer, personal):
    assert bearer(personal(ada)).patch(ME, {"time_zone": "Europe/London"}).status_code == 200


def test_a_revoked_token_opens_nothing_and_is_gone_from_the_list(ada, browser, bearer, personal):
    secret = personal(ada)
    token = PersonalToken.objects.get()

    assert browser.delete(at(token)).status_code == 204

    assert bearer(secret).get(ME).status_code == 401
    assert browser.get(TOKENS).json()["results"] == []
    assert [browser.get(at(token)).status_code, browser.delete(at(token)).status_code] == [404, 404]


SPOILED = {
    "expired": lambda: PersonalToken.objects.update(expires_at=datetime.now(UTC) - timedelta(seconds=1)),
    "its person deactivated": lambda: User.objects.update(is_active=False),
    "unknown": lambda: PersonalToken.objects.update(digest="0" * 64),
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
def test_a_token_that_no_longer_holds_opens_nothing(ada, bearer, personal, spoil):
    client = bearer(personal(ada))
    assert client.get(ME).status_code == 200

    spoil()

    response = client.get(ME)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("header", ["Bearer", "Bearer a b", "Bearer \u00e9", "bearer todo_pat_"])
def test_a_header_that_is_no_credential_is_refused(ada, stranger, header):
    stranger.credentials(HTTP_AUTHORIZATION=header)

    assert stranger.get(ME).status_code == 401


def test_another_kind_of_authorization_is_not_ours(ada, stranger):
    stranger.credentials(HTTP_AUTHORIZATION="Basic YWRhOmE=")

    assert stranger.get(ME).json()["code"] == "not_authenticated"


def test_a_bad_token_is_refused_also_beside_a_good_session(browser):
    assert browser.get(ME, HTTP_AUTHORIZATION="Bearer todo_pat_x").status_code == 401


def test_use_is_noted_once_an_hour_and_costs_one_query_otherwise(ada, bearer, personal, django_assert_num_queries):
    client = bearer(personal(ada))
    client.get(ME)
    noted = PersonalToken.objects.get().last_used_at

    with django_assert_num_queries(1):
        client.get(ME)
    assert PersonalToken.objects.get().last_used_at == noted

    PersonalToken.objects.update(last_used_at=noted - timedelta(minutes=61))
    with django_assert_num_queries(2):
        client.get(ME)
    assert PersonalToken.objects.get().last_used_at >= noted


def test_of_many_requests_that_read_the_old_time_one_notes_the_use(ada, personal):
    personal(ada)
    first, second = PersonalToken.objects.get(), PersonalToken.objects.get()
    now = datetime.now(UTC)

    credentials.note_use(first, now=now)
    credentials.note_use(second, now=now + timedelta(seconds=1))

    assert PersonalToken.objects.get().last_used_at == now


def test_a_person_has_at_most_twenty_live_tokens(ada, grace, browser, personal):
    for _ in range(20):
        personal(ada)

    refusal = browser.post(TOKENS, WANTED)

    assert (refusal.status_code, refusal.json()["code"]) == (409, "too_many_tokens")
    assert PersonalToken.objects.count() == 20
    personal(grace)
    browser.delete(at(PersonalToken.objects.filter(user=ada)[0]))
    PersonalToken.objects.filter(pk=PersonalToken.objects.filter(user=ada).last().pk).update(
        expires_at=datetime.now(UTC)
    )
    assert [browser.post(TOKENS, WANTED).status_code for _ in range(3)] == [201, 201, 409]


def test_nobody_sees_or_revokes_somebody_elses_token(ada, grace, browser, personal):
    personal(grace)
    theirs = PersonalToken.objects.get()

    assert browser.get(TOKENS).json()["results"] == []
    assert [browser.get(at(theirs)).status_code, browser.delete(at(theirs)).status_code] == [404, 404]
    assert PersonalToken.objects.get().revoked_at is None


@pytest.mark.parametrize("method", ["get", "delete", "patch", "put"])
@pytest.mark.parametrize("name", ["null", "1", "-" * 36, "019a9f3c-7b1e-7c43-9d0a-6f1f3c0f6a1z"])
def test_what_is_no_id_is_not_found(browser, method, name):
    assert getattr(browser, method)(f"{TOKENS}{name}/").status_code == 404


def test_a_token_is_not_changed(ada, browser, personal):
    personal(ada)
    token = PersonalToken.objects.get()

    assert [browser.patch(at(token), {"name": "y"}).status_code, browser.put(at(token), WANTED).status_code] == [
        405,
        405,
    ]


def test_the_list_costs_the_same_however_many_there_are(ada, browser, personal, django_assert_num_queries):
    for _ in range(5):
        personal(ada)

    with django_assert_num_queries(3):  # the session, its person, the tokens
        assert len(browser.get(TOKENS).json()["results"]) == 5


def test_a_new_token_takes_those_long_dead_with_it(ada, personal):
    now = datetime.now(UTC)
    for _ in range(3):
        personal(ada)
    expired, revoked, recent = PersonalToken.objects.order_by("pk")
    PersonalToken.objects.filter(pk=expired.pk).update(expires_at=now - timedelta(days=91))
    PersonalToken.objects.filter(pk=revoked.pk).update(revoked_at=now - timedelta(days=91))
    PersonalToken.objects.filter(pk=recent.pk).update(revoked_at=now - timedelta(days=89))

    made = credentials.create_personal_token(user=ada, name="new", scopes=["read"], expires_at=None, now=now)

    assert set(PersonalToken.objects.values_list("pk", flat=True)) == {recent.pk, made.row.pk}

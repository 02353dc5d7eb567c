"""Signing in by JSON Web Tokens: short access, one refresh token at a time, and what ends a sign-in."""

import threading
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import connection, connections, transaction

from apps.accounts import credentials, jwts, services
from apps.accounts.exceptions import RefreshTokenReused, SignInEnded
from apps.accounts.models import PersonalToken, SignIn, User
from tests.support.factories import person

pytestmark = pytest.mark.django_db

TOKEN, REFRESH, LOGOUT, ME = "/api/v1/auth/token/", "/api/v1/auth/refresh/", "/api/v1/auth/logout/", "/api/v1/me/"
PASSWORD = "a-good-password"


@pytest.fixture
def pair(ada, stranger):
    return stranger.post(TOKEN, {"username": "ada", "password": PASSWORD}).json()


def claims_of(token):
    return jwt.decode(token, options={"verify_signature": False})


def signed(claims, *, key=settings.JWT_SIGNING_KEY, algorithm="HS256"):
    return jwt.encode(claims, key, algorithm=algorithm)


def test_a_password_gives_an_access_token_for_ten_minutes_and_a_refresh_token_for_a_fortnight(ada, pair):
    access, refresh = claims_of(pair["access"]), claims_of(pair["refresh"])
    sign_in = SignIn.objects.get()

    assert (access["exp"] - access["iat"], refresh["exp"] - refresh["iat"]) == (600, 14 * 86400)
    assert access["sub"] == refresh["sub"] == str(ada.pk)
    assert access["family"] == refresh["family"] == str(sign_in.pk)
    assert (access["iss"], access["aud"]) == ("http://127.0.0.1:8000", "http://127.0.0.1:8000/api/")
    assert jwt.get_unverified_header(pair["access"])["alg"] == "HS256"


def test_an_answer_with_tokens_is_kept_by_no_cache(ada, stranger):
    response = stranger.post(TOKEN, {"username": "ada", "password": PASSWORD})

    assert "no-store" in response.headers["Cache-Control"]


def test_signing_in_is_remembered_as_the_last_login(ada, pair):
    assert User.objects.get(pk=ada.pk).last_login == SignIn.objects.get().created_at


def test_a_sign_in_that_fails_to_be_kept_is_no_last_login(ada, monkeypatch):
    monkeypatch.setattr(credentials, "uuid4", lambda: "no id")

    with pytest.raises(ValidationError):
        credentials.start_sign_in(user=ada, now=datetime.now(UTC))

    assert User.objects.get(pk=ada.pk).last_login is None
    assert not SignIn.objects.exists()


def test_who_was_deactivated_since_their_password_was_checked_is_not_let_in(ada):
    services.deactivate(user_id=ada.pk, now=datetime.now(UTC))

    with pytest.raises(SignInEnded):
        credentials.start_sign_in(user=ada, now=datetime.now(UTC))

    assert User.objects.get(pk=ada.pk).last_login is None
    assert not SignIn.objects.exists()


def test_who_was_deactivated_since_they_came_in_gets_no_personal_token(ada):
    services.deactivate(user_id=ada.pk, now=datetime.now(UTC))

    with pytest.raises(SignInEnded):
        credentials.create_personal_token(user=ada, name="x", scopes=["read"], expires_at=None, now=datetime.now(UTC))

    assert not PersonalToken.objects.exists()


def test_the_access_token_opens_the_api(pair, bearer):
    assert bearer(pair["access"]).get(ME).json()["username"] == "ada"


@pytest.mark.parametrize(("username", "password"), [("ada", "wrong"), ("nobody", PASSWORD), ("gone", PASSWORD)])
def test_a_wrong_password_an_unknown_name_and_a_deactivated_person_hear_the_same(ada, stranger, username, password):
    person("gone", is_active=False)

    response = stranger.post(TOKEN, {"username": username, "password": password})

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert response.json()["detail"] == "No account has this username and password. Mind capital letters in both."
    assert not SignIn.objects.exists()


@pytest.mark.parametrize("body", [{}, {"username": "ada"}, {"username": "ada", "password": "x", "otp": "1"}])
def test_a_body_that_is_not_the_two_fields_is_refused(ada, stranger, body):
    assert stranger.post(TOKEN, body).status_code == 400
    assert not SignIn.objects.exists()


def test_no_token_stands_in_the_database(pair):
    with connection.cursor() as cursor:
        cursor.execute("SELECT accounts_signin::text FROM accounts_signin")
        rows = cursor.fetchall()

    signature = pair["refresh"].rpartition(".")[2]
    assert len(rows) == 1
    assert signature not in rows[0][0]


FORGED = {
    "another key": lambda claims: signed(claims, key="x" * 48),
    "the key of the sessions": lambda claims: signed(claims, key=settings.SECRET_KEY),
    "another algorithm": lambda claims: signed(claims, algorithm="HS512"),
    "no signature": lambda claims: signed(claims, key=None, algorithm="none"),
    "another audience": lambda claims: signed({**claims, "aud": "https://elsewhere.example/"}),
    "another issuer": lambda claims: signed({**claims, "iss": "https://elsewhere.example"}),
    "expired": lambda claims: signed({**claims, "exp": claims["iat"] - 1}),
    "no expiry": lambda claims: signed({name: claims[name] for name in claims if name != "exp"}),
    "no family": lambda claims: signed({name: claims[name] for name in claims if name != "family"}),
    "another person": lambda claims: signed({**claims, "sub": "019a9f3c-7b1e-7c43-9d0a-6f1f3c0f6a11"}),
    "a person who is no id": lambda claims: signed({**claims, "sub": "ada"}),
    "a refresh token": lambda claims: signed({**claims, "token_type": "refresh"}),
    "not a token": lambda claims: "not-a-token",
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_a_token_that_is_not_quite_ours_opens_nothing(pair, bearer, forge):
    response = bearer(forge(claims_of(pair["access"]))).get(ME)

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_the_same_claims_signed_as_we_sign_open_the_api(pair, bearer):
    """The control of the forgeries: what they refuse is the forgery."""
    assert bearer(signed(claims_of(pair["access"]))).get(ME).status_code == 200


def test_a_request_with_a_token_costs_one_query_to_know_the_caller(pair, bearer, django_assert_num_queries):
    client = bearer(pair["access"])

    with django_assert_num_queries(1):
        client.get(ME)


@pytest.mark.parametrize("kind", ["access token", "personal token", "session"])
def test_the_line_of_a_request_names_the_caller_and_not_the_credential(
    ada, pair, personal, bearer, browser, kind, caplog
):
    caplog.set_level("INFO", logger="django_structlog.middlewares.request")
    secrets = {"access token": pair["access"], "personal token": personal(ada)}
    client = browser if kind == "session" else bearer(secrets[kind])
    caplog.clear()

    client.get(ME)

    assert f"'user_id': '{ada.pk}'" in caplog.text
    assert [name for name, secret in secrets.items() if secret in caplog.text] == []


def test_a_refresh_token_is_exchanged_for_a_new_pair(pair, stranger, bearer):
    new = stranger.post(REFRESH, {"refresh": pair["refresh"]}).json()

    assert set(new) == {"access", "refresh"}
    assert new["refresh"] != pair["refresh"]
    assert claims_of(new["refresh"])["family"] == claims_of(pair["refresh"])["family"]
    assert bearer(new["access"]).get(ME).status_code == 200
    assert SignIn.objects.count() == 1


def test_a_refresh_token_that_comes_again_ends_its_whole_sign_in(pair, stranger, bearer, caplog):
    new = stranger.post(REFRESH, {"refresh": pair["refresh"]}).json()

    again = stranger.post(REFRESH, {"refresh": pair["refresh"]})

    assert (again.status_code, again.json()["code"]) == (401, "sign_in_ended")
    assert SignIn.objects.get().ended_because == SignIn.Ended.TOKEN_REUSED
    assert stranger.post(REFRESH, {"refresh": new["refresh"]}).status_code == 401
    assert bearer(new["access"]).get(ME).status_code == 401
    assert "sign_in_refused" in caplog.text
    assert pair["refresh"] not in caplog.text


def test_without_the_detection_a_stolen_token_would_go_on_for_ever(pair, stranger, monkeypatch):
    stranger.post(REFRESH, {"refresh": pair["refresh"]})
    monkeypatch.setattr(credentials, "was_exchanged", lambda sign_in, token_id: False)

    assert stranger.post(REFRESH, {"refresh": pair["refresh"]}).status_code == 200


def test_another_sign_in_of_the_same_person_goes_on(pair, stranger, bearer):
    other = stranger.post(TOKEN, {"username": "ada", "password": PASSWORD}).json()
    stranger.post(REFRESH, {"refresh": pair["refresh"]})
    stranger.post(REFRESH, {"refresh": pair["refresh"]})

    assert bearer(other["access"]).get(ME).status_code == 200
    assert stranger.post(REFRESH, {"refresh": other["refresh"]}).status_code == 200


@pytest.mark.parametrize("text", ["", "x", "a.b.c"])
def test_what_is_no_refresh_token_is_exchanged_for_nothing(ada, stranger, text):
    assert stranger.post(REFRESH, {"refresh": text}).status_code in {400, 401}


def test_an_access_token_is_not_exchanged(pair, stranger):
    assert stranger.post(REFRESH, {"refresh": pair["access"]}).status_code == 401


@pytest.mark.django_db(transaction=True)
def test_of_two_exchanges_at_once_one_wins_and_the_sign_in_ends(ada):
    sign_in = credentials.start_sign_in(user=ada, now=datetime.now(UTC))
    start, outcomes = threading.Barrier(2), []

    def exchange():
        start.wait()
        try:
            credentials.continue_sign_in(sign_in_id=sign_in.pk, token_id=sign_in.token_id, now=datetime.now(UTC))
            outcomes.append("exchanged")
        except RefreshTokenReused:
            outcomes.append("reused")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=exchange) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["exchanged", "reused"]
    assert SignIn.objects.get().ended_because == SignIn.Ended.TOKEN_REUSED


def test_signing_out_ends_the_sign_in_of_the_access_token(pair, stranger, bearer):
    response = bearer(pair["access"]).post(LOGOUT)

    assert (response.status_code, response.content) == (204, b"")
    assert bearer(pair["access"]).get(ME).status_code == 401
    assert stranger.post(REFRESH, {"refresh": pair["refresh"]}).status_code == 401


def test_signing_out_ends_the_sign_in_of_the_refresh_token_it_names(pair, browser, stranger):
    assert browser.post(LOGOUT, {"refresh": pair["refresh"]}).status_code == 204
    assert browser.post(LOGOUT, {"refresh": pair["refresh"]}).status_code == 204
    assert stranger.post(REFRESH, {"refresh": pair["refresh"]}).status_code == 401


def test_a_session_has_to_name_the_sign_in_to_end(pair, browser):
    assert browser.post(LOGOUT).status_code == 400
    assert SignIn.objects.get().ended_at is None


def test_nobody_signs_somebody_else_out(pair, grace, bearer, stranger):
    theirs = stranger.post(TOKEN, {"username": "grace", "password": PASSWORD}).json()

    assert bearer(theirs["access"]).post(LOGOUT, {"refresh": pair["refresh"]}).status_code == 404
    assert SignIn.objects.get(user__username="ada").ended_at is None


def test_signing_out_takes_who_is_signed_in(pair, stranger):
    assert stranger.post(LOGOUT, {"refresh": pair["refresh"]}).status_code == 401
    assert SignIn.objects.get().ended_at is None


ENDINGS = {
    "the service": lambda user: services.change_password(user_id=user.pk, password="Another-1", now=datetime.now(UTC)),
    "past the service": lambda user: (user.set_password("Another-1"), user.save()),
    "deactivation": lambda user: services.deactivate(user_id=user.pk, now=datetime.now(UTC)),
    "deactivation past the service": lambda user: User.objects.filter(pk=user.pk).update(is_active=False),
}


@pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS)
def test_another_password_or_deactivation_ends_all_at_once(ada, pair, stranger, bearer, end):
    end(ada)

    assert bearer(pair["access"]).get(ME).status_code == 401
    assert stranger.post(REFRESH, {"refresh": pair["refresh"]}).status_code == 401
    assert SignIn.objects.get().ended_at is not None


def test_who_is_let_in_again_has_to_sign_in_again(ada, pair, stranger):
    services.deactivate(user_id=ada.pk, now=datetime.now(UTC))
    User.objects.filter(pk=ada.pk).update(is_active=True)

    assert stranger.post(REFRESH, {"refresh": pair["refresh"]}).status_code == 401


def test_a_new_sign_in_takes_outlived_ones_with_it(ada):
    long_ago = datetime.now(UTC) - timedelta(days=15)
    credentials.start_sign_in(user=ada, now=long_ago)
    recent = credentials.start_sign_in(user=ada, now=datetime.now(UTC) - timedelta(days=13))

    last = credentials.start_sign_in(user=ada, now=datetime.now(UTC))

    assert set(SignIn.objects.values_list("pk", flat=True)) == {recent.pk, last.pk}


def test_an_expired_sign_in_is_not_continued_however_fresh_the_token(ada, stranger):
    sign_in = credentials.start_sign_in(user=ada, now=datetime.now(UTC))
    refresh = jwts.pair_of(sign_in)["refresh"]
    SignIn.objects.update(expires_at=datetime.now(UTC) - timedelta(seconds=1))

    assert stranger.post(REFRESH, {"refresh": refresh}).status_code == 401


@pytest.mark.django_db(transaction=True)
def test_what_lets_a_person_in_waits_for_who_puts_them_out():
    ada, now, outcomes = person("ada"), datetime.now(UTC), []
    key = {"name": "x", "scopes": ["read"], "expires_at": None}

    def come_in(make, **wanted):
        try:
            make(user=ada, now=now, **wanted)
            outcomes.append("let in")
        except SignInEnded:
            outcomes.append("refused")
        finally:
            connections.close_all()

    threads = [
        threading.Thread(target=come_in, args=(credentials.start_sign_in,)),
        threading.Thread(target=come_in, args=(credentials.create_personal_token,), kwargs=key),
    ]
    with transaction.atomic():
        services.deactivate(user_id=ada.pk, now=now)
        for thread in threads:
            thread.start()
        threads[0].join(0.3)
        meanwhile = list(outcomes)
    for thread in threads:
        thread.join()

    assert meanwhile == []
    assert outcomes == ["refused", "refused"]

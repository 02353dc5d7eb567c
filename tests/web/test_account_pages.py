"""The pages of accounts: signing up, the way to a new password, and what they do not tell."""

import re
import stat

import pytest
from django.core import mail as outbox
from django.core.mail import EmailMessage
from django.test import Client

from apps.accounts import credentials, mail
from apps.accounts.models import SignIn, User
from tests.support.factories import NOW, person
from todo_project import throttles

pytestmark = pytest.mark.django_db

NEW = "Xq9-long-enough"
WANTED = {"username": "ada", "email": "ada@example.org", "password": NEW, "time_zone": "Europe/London"}


@pytest.fixture
def ada():
    return person("ada")


@pytest.fixture
def browser(ada):
    client = Client()
    client.force_login(ada)
    return client


def page(response):
    return response.content.decode()


# --- Signing in ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("door", ["/sign-in/", "/sign-in", "/sign-in/?next=/sign-in/", "/sign-up/", "/sign-out/"])
def test_signing_in_never_leads_back_to_a_door(ada, door):
    client = Client()

    asked = page(client.get("/sign-in/", {"next": door}))
    response = client.post("/sign-in/", {"username": "ada", "password": "a-good-password", "next": door})

    assert '<input type="hidden" name="next" value="">' in asked
    assert (response.status_code, response.headers["Location"]) == (302, "/")


def test_who_is_signed_in_and_sent_to_the_door_goes_home(browser):
    assert browser.get("/sign-in/?next=/sign-in/").headers["Location"] == "/"


def test_a_deactivated_person_hears_what_a_wrong_password_hears():
    person("gone", is_active=False)

    gone, wrong = (
        page(Client().post("/sign-in/", {"username": name, "password": "a-good-password"})) for name in ("gone", "none")
    )

    told = "No account has this username and password."
    assert told in gone
    assert told in wrong


def test_a_deactivated_person_is_out_at_once(browser):
    User.objects.update(is_active=False)

    assert 'href="/sign-in/"' in page(browser.get("/"))
    assert browser.get("/api/v1/me/").status_code == 401


# --- Signing up ---------------------------------------------------------------------------------------


def test_who_signs_up_is_signed_in_and_at_home_in_their_time_zone():
    client = Client()

    response = client.post("/sign-up/", WANTED, follow=True)

    ada = User.objects.get()
    assert response.redirect_chain == [("/", 302)]
    assert "times in Europe/London" in page(response)
    assert (ada.username, ada.email, ada.time_zone, ada.is_staff) == ("ada", "ada@example.org", "Europe/London", False)
    assert ada.check_password(NEW)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"username": "Ada"}, "Somebody has this username already. Choose another."),
        ({"username": ""}, "This field is required."),
        ({"username": "a b"}, "Enter a valid username."),
        ({"email": "nowhere"}, "Enter a valid email address."),
        ({"password": "short"}, "This password is too short."),
        ({"password": "12345678901"}, "This password is entirely numeric."),
        ({"password": "lovelace1", "username": "lovelace1"}, "The password is too similar to the username."),
        ({"time_zone": "Mars/Olympus"}, "Select a valid choice."),
    ],
)
def test_what_an_account_cannot_be_is_told_beside_the_field(ada, change, told):
    client = Client()

    response = client.post("/sign-up/", WANTED | {"username": "grace"} | change)

    assert told in page(response).replace("&#x27;", "'")
    assert User.objects.count() == 1
    assert "_auth_user_id" not in client.session


def test_an_email_address_somebody_has_is_no_secret_that_signing_up_tells(ada):
    assert Client().post("/sign-up/", WANTED | {"username": "grace"}).status_code == 302


def test_where_sign_up_is_closed_there_is_no_page_and_no_way_to_it(settings):
    settings.SIGN_UP_OPEN = False

    assert [Client().get("/sign-up/").status_code, Client().post("/sign-up/", WANTED).status_code] == [404, 404]
    assert not User.objects.exists()
    assert "/sign-up/" not in page(Client().get("/")) + page(Client().get("/sign-in/"))


def test_where_it_is_open_the_ways_to_it_are_shown():
    assert "/sign-up/" in page(Client().get("/"))
    assert "/sign-up/" in page(Client().get("/sign-in/"))


def test_who_is_signed_in_needs_no_account(browser):
    assert browser.get("/sign-up/").headers["Location"] == "/"


def test_the_password_is_neither_shown_again_nor_logged(caplog):
    caplog.set_level("DEBUG")

    shown = page(Client().post("/sign-up/", WANTED | {"email": "nowhere"}))

    assert NEW not in shown
    assert NEW not in caplog.text


# --- A new password -----------------------------------------------------------------------------------


def asked_for(address):
    response = Client().post("/password/reset/", {"email": address})
    mail.wait_until_sent()
    return response


def link():
    (found,) = re.findall(r"http://127\.0\.0\.1:8000(/password/reset/\S+)", outbox.outbox[0].body)
    return found


def follow(client, address):
    """To the form behind the link; the address of the form."""
    return client.get(address).headers["Location"]


def test_the_mail_leads_to_a_new_password(ada):
    asked_for("ADA@example.org")
    client = Client()
    form = follow(client, link())

    response = client.post(form, {"new_password1": NEW, "new_password2": NEW}, follow=True)

    assert outbox.outbox[0].to == ["ada@example.org"]
    assert outbox.outbox[0].subject == "Set a new password for Todo"
    assert "Your new password is set. Sign in with it." in page(response)
    assert User.objects.get().check_password(NEW)


def test_the_link_leads_to_us_whatever_the_request_calls_us(ada, settings):
    settings.ALLOWED_HOSTS = ["*"]

    Client().post("/password/reset/", {"email": "ada@example.org"}, headers={"Host": "evil.example"})
    mail.wait_until_sent()

    assert "http://127.0.0.1:8000/password/reset/" in outbox.outbox[0].body
    assert "evil.example" not in outbox.outbox[0].body


def test_a_new_password_ends_sessions_and_sign_ins(ada, browser):
    sign_in = credentials.start_sign_in(user=ada, now=NOW)
    asked_for("ada@example.org")
    client = Client()

    client.post(follow(client, link()), {"new_password1": NEW, "new_password2": NEW})

    assert browser.get("/api/v1/me/").status_code == 401
    assert SignIn.objects.get(pk=sign_in.pk).ended_because == SignIn.Ended.PASSWORD_CHANGED


def test_a_link_works_once(ada):
    asked_for("ada@example.org")
    client = Client()
    client.post(follow(client, link()), {"new_password1": NEW, "new_password2": NEW})

    again = Client().get(link())

    assert again.status_code == 200
    assert "This link no longer works" in page(again)


@pytest.mark.parametrize("address", ["/password/reset/x/y/", "/password/reset/MQ/set-password/"])
def test_an_invented_link_leads_nowhere(ada, address):
    assert "This link no longer works" in page(Client().get(address))


def test_a_weak_password_is_refused_and_the_old_one_stays(ada):
    asked_for("ada@example.org")
    client = Client()

    response = client.post(follow(client, link()), {"new_password1": "short", "new_password2": "short"})

    assert "This password is too short." in page(response)
    assert User.objects.get().check_password("a-good-password")


@pytest.mark.parametrize("address", ["ada@example.org", "nobody@example.org", "gone@example.org"])
def test_the_answer_does_not_tell_who_has_an_account(ada, address):
    person("gone", is_active=False)

    response = asked_for(address)

    assert (response.status_code, response.headers["Location"]) == (302, "/password/reset/sent/")
    assert [message.to for message in outbox.outbox] == [[address]] * (address == "ada@example.org")


def test_the_answer_does_not_wait_for_the_mail(ada, monkeypatch):
    sent_while_asking = []
    monkeypatch.setattr(mail, "send_soon", lambda message, user_id: sent_while_asking.append(len(outbox.outbox)))

    asked_for("ada@example.org")

    assert sent_while_asking == [0]
    assert outbox.outbox == []


def test_a_mail_that_cannot_be_sent_is_a_line_and_no_error(ada, monkeypatch, caplog):
    def fails(*_, **__):
        raise OSError("no such host")

    monkeypatch.setattr(EmailMessage, "send", fails)

    assert asked_for("ada@example.org").status_code == 302
    assert "mail_failed" in caplog.text
    assert "ada@example.org" not in caplog.text


def test_without_a_server_the_mail_is_a_file_only_its_owner_reads_and_one_line(ada, settings, tmp_path, caplog):
    caplog.set_level("INFO", logger="apps.accounts.mail")
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path / "mail")

    asked_for("ada@example.org")

    (written,) = (tmp_path / "mail").iterdir()
    assert "/password/reset/" in written.read_text()
    assert stat.S_IMODE((tmp_path / "mail").stat().st_mode) == 0o700
    assert caplog.text.count("mail_sent") == 1
    assert "/password/reset/" not in caplog.text


def test_without_a_server_mails_are_files_that_mail_programs_open_and_who_is_erased_takes_them(ada, settings, tmp_path):
    settings.EMAIL_HOST, settings.EMAIL_BACKEND = "", "apps.accounts.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path / "mail")

    asked_for("ada@example.org")

    (written,) = (tmp_path / "mail").iterdir()
    assert written.suffix == ".eml"
    assert "-" * 79 not in written.read_text()
    assert list(mail.kept_for("ada@example.org")) == [written]


def test_mails_beyond_what_may_wait_are_dropped_with_a_line(ada, monkeypatch, caplog):
    monkeypatch.setattr(mail, "_room", type("Full", (), {"acquire": lambda *_, **__: False})())

    assert asked_for("ada@example.org").status_code == 302
    assert "mail_dropped" in caplog.text
    assert outbox.outbox == []


def test_the_token_of_a_link_is_hidden_in_log_lines():
    from todo_project import logs

    rendered = logs._masks_credentials(None, "info", '{"request": "GET /password/reset/MQ/abc-123/", "code": 302}')

    assert rendered == '{"request": "GET /password/reset/MQ/[hidden]/", "code": 302}'
    assert logs._masks_credentials(None, "info", "GET /password/reset/MQ/set-password/").endswith("/set-password/")


# --- Changing it --------------------------------------------------------------------------------------


def change(client, **fields):
    form = {"old_password": "a-good-password", "new_password1": NEW, "new_password2": NEW}
    return client.post("/password/change/", form | fields, follow=True)


def test_changing_the_password_keeps_this_browser_in_and_puts_all_others_out(ada, browser):
    other = Client()
    other.force_login(ada)
    sign_in = credentials.start_sign_in(user=ada, now=NOW)

    response = change(browser)

    assert "Your password is changed." in page(response)
    assert User.objects.get().check_password(NEW)
    assert [browser.get("/api/v1/me/").status_code, other.get("/api/v1/me/").status_code] == [200, 401]
    assert SignIn.objects.get(pk=sign_in.pk).ended_because == SignIn.Ended.PASSWORD_CHANGED


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"old_password": "wrong"}, "Your old password was entered incorrectly."),
        ({"new_password2": "another-one-9"}, "The two password fields didn"),
    ],
)
def test_a_change_that_is_refused_changes_nothing(browser, fields, told):
    assert told in page(change(browser, **fields))
    assert User.objects.get().check_password("a-good-password")


def test_changing_the_password_saves_nothing_else_of_the_person(ada, browser):
    from apps.accounts.forms import ChangePasswordForm

    form = ChangePasswordForm(ada, {"old_password": "a-good-password", "new_password1": NEW, "new_password2": NEW})
    User.objects.update(time_zone="Asia/Tokyo")
    assert form.is_valid()

    form.save()

    assert User.objects.get().time_zone == "Asia/Tokyo"


def test_a_stranger_signs_in_before_changing_a_password():
    assert Client().get("/password/change/").headers["Location"] == "/sign-in/?next=/password/change/"


def test_a_personal_token_changes_no_password(ada):
    made = credentials.create_personal_token(user=ada, name="x", scopes=["write"], expires_at=None, now=NOW)
    client = Client(headers={"Authorization": f"Bearer {made.secret}"})

    assert change(client).redirect_chain == [("/sign-in/?next=/password/change/", 302)]
    assert User.objects.get().check_password("a-good-password")


@pytest.mark.parametrize(
    "address", ["/sign-in/", "/sign-up/", "/password/reset/", "/password/reset/sent/", "/password/reset/x/y/"]
)
def test_every_page_has_one_heading_and_labels_for_its_fields(address):
    shown = page(Client().get(address))

    fields = re.findall(r'<(?:input|select)[^>]* id="(\w+)"', shown)
    assert shown.count("<h1") == 1
    assert [name for name in fields if f'for="{name}"' not in shown] == []


@pytest.mark.parametrize("address", ["/sign-up/", "/password/reset/"])
def test_a_form_that_sends_mail_or_makes_rows_is_answered_so_often(settings, monkeypatch, address):
    monkeypatch.setattr(throttles, "_counted", throttles.SlidingCount())
    settings.THROTTLE_ADDRESS_PER_MINUTE = 2

    answers = [Client().post(address, {}) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 60
    assert "Try again in" in page(answers[2])

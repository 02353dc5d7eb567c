"""What mails say, and that what people wrote never becomes more than text."""

import email
import re
from datetime import UTC, date, datetime, timedelta
from email import policy
from zoneinfo import ZoneInfo

import pytest

from apps.notifications.mail import mailing
from apps.notifications.mail.letter_parts import late_in_words, one_line
from tests.notifications.mails import NOW, composed, notification, uuid

HOSTILE = (
    'Buy\r\nBcc: all@example.org\n\n<img src="https://evil.example/x.png"><script>x</script> \u202egnp.exe\u2028&amp;'
)


def sent(content):
    """As a receiver reads it."""
    raw = mailing.message(content, to="ada@example.org", key=uuid("key")).message().as_bytes(linesep="\r\n")
    return email.message_from_bytes(raw, policy=policy.default)


def digest(**data):
    return notification("Your day", kind="digest", task_id=None, data=data)


def listed(title, **fields):
    return {"id": str(uuid(title)), "title": title, "due_at": None, "due_on": None, "priority": "none"} | fields


# --- Subjects -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "subject"),
    [
        ({}, "Buy milk"),
        ({"due_at": NOW + timedelta(minutes=30)}, "Buy milk (due Sun 22 Nov, 09:30)"),
        ({"due_at": NOW + timedelta(seconds=1858)}, "Buy milk (due Sun 22 Nov, 09:30:58)"),
        ({"due_at": NOW + timedelta(minutes=30, milliseconds=500)}, "Buy milk (due Sun 22 Nov, 09:30)"),
        ({"due_on": date(2027, 1, 4)}, "Buy milk (due Mon 4 Jan 2027)"),
        ({"due_at": NOW, "late_seconds": 60}, "Buy milk (due Sun 22 Nov, 09:00)"),
        ({"due_at": NOW, "late_seconds": 7260}, "Buy milk (due Sun 22 Nov, 09:00, 2 h late)"),
        ({"urgent": True}, "Urgent: Buy milk"),
        ({"kind": "overdue", "due_on": date(2026, 11, 21)}, "Overdue: Buy milk (due Sat 21 Nov)"),
        ({"kind": "notice", "task_id": None}, "Buy milk"),
    ],
)
def test_the_subject_of_one_says_what_when_and_how_late(fields, subject):
    assert composed(notification(**fields))["subject"] == subject


def test_times_are_those_of_the_reader():
    content = composed(notification(due_at=NOW), zone=ZoneInfo("Asia/Tokyo"))

    assert content["subject"] == "Buy milk (due Sun 22 Nov, 18:00)"
    assert "Times are those of Asia/Tokyo." in content["text"]


def test_an_instant_that_no_clock_of_the_zone_shows_is_told_plainly():
    content = composed(notification(due_at=datetime(9999, 12, 31, 23, 0, tzinfo=UTC)), zone=ZoneInfo("Asia/Tokyo"))

    assert content["subject"] == "Buy milk (due 9999-12-31T23:00:00Z)"


def test_several_are_counted_and_the_first_named():
    items = [notification(title) for title in ("Milk", "Bread", "Eggs", "Tea")]

    assert composed(*items)["subject"] == "4 reminders: Milk, Bread and 2 more"


def test_what_quiet_hours_held_says_so():
    content = composed(notification("Milk"), notification("Late", kind="overdue"), held_quiet=True)

    assert content["subject"] == "After your quiet hours, 2 things to know: Milk and Late"
    assert "They came in your quiet hours and were held until now." in content["text"]


def test_a_digest_tells_overdue_and_today_apart_and_how_many_more_there_are():
    overdue = [listed("Rent", due_at="2026-11-20T09:00:00Z"), listed("Tax", due_on="2026-11-21")]
    content = composed(
        digest(overdue=overdue, overdue_total=12, today=[listed("Call", due_at="2026-11-22T09:30:00Z")], today_total=1),
        kind="digest",
    )

    told = re.sub(r"http\S+", "…", content["text"])
    assert content["subject"] == "Sun 22 Nov: 12 overdue and 1 due"
    assert [line for line in told.splitlines() if line and "…" not in line][:9] == [
        "Your Sun 22 Nov",
        "OVERDUE",
        "* Rent",
        "  Due Fri 20 Nov, 09:00, overdue",
        "* Tax",
        "  Due Sat 21 Nov, overdue",
        "DUE SUN 22 NOV",
        "* Call",
        "  Due Sun 22 Nov, 09:30",
    ]
    assert "… and 10 more." in told


def test_a_digest_counts_what_passed_since_it_was_made_as_overdue():
    today = [
        listed("Passed", due_at="2026-11-22T08:00:58Z"),
        listed("Call", due_at="2026-11-22T09:30:00Z"),
        listed("Day", due_on="2026-11-22"),
    ]
    content = composed(
        digest(overdue=[listed("Tax", due_on="2026-11-21")], overdue_total=1, today=today, today_total=3), kind="digest"
    )

    told = [line for line in content["text"].splitlines() if line.startswith(("* ", "  Due", "OVERDUE", "DUE"))]
    assert content["subject"] == "Sun 22 Nov: 2 overdue and 2 due"
    assert told == [
        *("OVERDUE", "* Tax", "  Due Sat 21 Nov, overdue", "* Passed", "  Due Sun 22 Nov, 08:00:58, overdue"),
        *("DUE SUN 22 NOV", "* Call", "  Due Sun 22 Nov, 09:30", "* Day", "  Due Sun 22 Nov"),
    ]


def test_a_digest_that_quiet_hours_held_keeps_its_tasks_beside_the_rest():
    content = composed(notification("Milk"), digest(today=[listed("Call", due_on="2026-11-22")]), held_quiet=True)

    assert "* Milk" in content["text"]
    assert "DUE SUN 22 NOV\n\n* Call" in content["text"]


def test_of_very_many_the_first_hundred_are_told():
    content = composed(*[notification(f"Task {number}") for number in range(130)])

    assert content["text"].count("\n* Task") == 100
    assert "… and 30 more." in content["text"]
    assert len(content["html"]) < 400_000


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, ""),
        (60, ""),
        (61, "1 min late"),
        (3599, "59 min late"),
        (3600, "1 h late"),
        (172799, "47 h late"),
        (172800, "2 days late"),
    ],
)
def test_how_late_it_is(seconds, told):
    assert late_in_words(seconds) == told


# --- What people write ----------------------------------------------------------------------------------


def test_a_hostile_title_makes_no_header_no_line_and_no_markup():
    mail = sent(composed(notification(HOSTILE)))

    html = mail.get_body(("html",)).get_content()
    assert "\u202e" not in str(mail["Subject"])
    assert str(mail["Subject"]).startswith("Buy Bcc: all@example.org <img")
    assert mail["Bcc"] is None
    assert "<img" not in html
    assert "<script" not in html
    assert "&lt;script&gt;x&lt;/script&gt; gnp.exe &amp;amp;" in html
    assert "\n* Buy Bcc: all@example.org <img" in mail.get_body(("plain",)).get_content().replace("\r", "")


def test_nothing_is_loaded_from_elsewhere_and_every_address_is_ours(settings):
    settings.PUBLIC_URL = "https://tasks.example.org"

    html = composed(notification(HOSTILE, due_at=NOW), notification("Overdue", kind="overdue"))["html"]

    assert re.search(r"<(img|link|script|iframe|object)\b|url\(|@import|<[^>]*\bsrc=", html) is None
    assert {address.split("/")[2] for address in re.findall(r'href="([^"]+)"', html)} == {"tasks.example.org"}


def test_a_very_long_title_leaves_room_for_when_it_is_due():
    subject = composed(notification("x" * 500, due_at=NOW, late_seconds=7200))["subject"]

    assert len(subject) == 120
    assert subject.endswith("x… (due Sun 22 Nov, 09:00, 2 h late)")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\x00b\x07c", "a b c"),
        ("a\u2029b\x85c", "a b c"),
        ("\u2067a\u2069\u200f\ufeff", "a"),
        ("👩\u200d👧 a\u200cb", "👩\u200d👧 a\u200cb"),
        ("  a   b ", "a b"),
        ("abcdef", "abcd…"),
    ],
)
def test_a_line_has_no_breaks_and_nothing_that_hides(text, line):
    assert one_line(text, most=20 if text != "abcdef" else 5) == line


# --- Headers --------------------------------------------------------------------------------------------


def test_headers_tell_what_it_is_and_how_to_have_no_more(settings):
    settings.PUBLIC_URL = "https://tasks.example.org"

    mail = sent(composed(notification(urgent=True)))

    one_click = str(mail["List-Unsubscribe"]).strip(" <>")
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["List-Id"] == "Todo <reminder.tasks.example.org>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert one_click.startswith("https://tasks.example.org/links/")
    assert one_click in mail.get_body(("plain",)).get_content()
    assert mail["Importance"] == "high"
    assert mail["Message-ID"] == f"<{uuid('key')}@tasks.example.org>"


def test_one_click_is_not_offered_without_https():
    headers = composed()["headers"]

    assert "List-Unsubscribe-Post" not in headers
    assert headers["List-Unsubscribe"].startswith("<http://127.0.0.1:8000/links/")


def test_mails_about_one_task_belong_together():
    first = composed(notification("Milk", id=uuid("one")))["headers"]["References"]
    second = composed(notification("Milk", id=uuid("two"), kind="overdue"))["headers"]["References"]
    other = composed(notification("Bread"))["headers"]["References"]

    assert first == second == f"<task.{uuid('task Milk')}@127.0.0.1>"
    assert other != first


def test_a_mail_composed_again_is_the_same():
    assert composed() == composed()


def test_a_notice_offers_nothing_to_complete():
    text = composed(notification("Switched off", kind="notice", task_id=None, text="It failed."))["text"]

    assert "It failed." in text
    assert "Complete:" not in text
    assert "Remind me again" not in text

"""Links in mails: what they say, and that nobody can make one or change one."""

from datetime import timedelta

import pytest
from django.core import signing

from apps.notifications.kinds import Kind
from apps.notifications.mail import links
from apps.notifications.mail.links import Action, Link, LinkExpired, NoSuchLink
from tests.notifications.mails import NOW, OWNER, uuid

DELIVERY = uuid("delivery")


def token_of(action=Action.COMPLETE, **fields):
    given = {"owner_id": OWNER, "delivery_id": DELIVERY, "now": NOW, "about": uuid("task")} | fields
    return links.make(action, **given).split("/")[-2]


@pytest.mark.parametrize("action", [Action.COMPLETE, Action.SNOOZE_QUARTER, Action.SNOOZE_HOUR, Action.SNOOZE_TOMORROW])
def test_a_link_says_who_what_and_until_when(action):
    link = links.read(token_of(action), now=NOW)

    assert link == Link(
        id=link.id, owner_id=OWNER, action=action, expires_at=NOW + timedelta(days=7), about=uuid("task")
    )


@pytest.mark.parametrize("kinds", [{Kind.REMINDER}, {Kind.OVERDUE, Kind.NOTICE}, set(Kind)])
def test_a_link_to_unsubscribe_names_the_kinds_and_is_good_for_a_year(kinds):
    token = token_of(Action.UNSUBSCRIBE, about=None, kinds=kinds)

    link = links.read(token, now=NOW + timedelta(days=364))

    assert (link.action, link.kinds, link.about) == (Action.UNSUBSCRIBE, frozenset(kinds), None)


def test_every_link_of_a_mail_has_an_id_of_its_own_and_keeps_it():
    several = [
        token_of(),
        token_of(Action.SNOOZE_HOUR),
        token_of(about=uuid("another")),
        token_of(delivery_id=uuid("another")),
    ]
    ids = [links.read(token, now=NOW).id for token in several]

    assert len(set(ids)) == 4
    assert links.read(token_of(), now=NOW).id == ids[0]


def test_a_link_ends_with_its_time():
    token = token_of()

    links.read(token, now=NOW + timedelta(days=7, seconds=-1))
    with pytest.raises(LinkExpired):
        links.read(token, now=NOW + timedelta(days=7))


def test_every_character_of_a_link_is_guarded():
    token = token_of()
    for place, character in enumerate(token):
        changed = f"{token[:place]}{'A' if character != 'A' else 'B'}{token[place + 1 :]}"
        with pytest.raises(NoSuchLink):
            links.read(changed, now=NOW)


@pytest.mark.parametrize("token", ["", ".", "a.b", "é.ü", "x" * 301, "%00", "AAAA."])
def test_what_nobody_made_is_no_link(token):
    with pytest.raises(NoSuchLink):
        links.read(token, now=NOW)


def test_what_was_signed_for_something_else_is_no_link():
    packed = token_of().partition(".")[0]

    with pytest.raises(NoSuchLink):
        links.read(signing.Signer(salt="something else", sep=".").sign(packed), now=NOW)


def test_a_link_outlives_a_change_of_the_key_as_long_as_the_old_one_is_kept(settings):
    token = token_of()
    before = settings.SECRET_KEY
    settings.SECRET_KEY = "another"

    with pytest.raises(NoSuchLink):
        links.read(token, now=NOW)
    settings.SECRET_KEY_FALLBACKS = [before]
    assert links.read(token, now=NOW).owner_id == OWNER

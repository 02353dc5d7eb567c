"""Webhooks and browsers while several do something with them at once; each cure with its control."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

import pytest
from django.db import IntegrityError, connection, transaction

from apps.accounts.models import User
from apps.notifications.exceptions import TooManyWebhooks
from apps.notifications.models import Delivery, PushSubscription, VapidKey, WebhookEndpoint
from apps.notifications.services import push, webhook_books, webhooks
from apps.notifications.transports import transport_named, webhook
from apps.notifications.transports.base import Receipt
from tests.events.concurrency import at_once, with_own_connection
from tests.notifications.destinations import browser, delivery_to, subscription_of, webhook_of
from tests.support.factories import NOW, person

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]

PATIENCE = 30


def blocked_or_done(future):
    """Waits until the other has ended, or waits for a lock of ours."""
    until = time.monotonic() + PATIENCE
    with connection.cursor() as cursor:
        while not future.done():
            # What it shows is kept for a transaction.
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))")
            if cursor.fetchone()[0]:
                return
            assert time.monotonic() < until, "It neither ends nor waits for us."
            time.sleep(0.02)


def told_while_switched_off(made):
    """What becomes of what a teller decided before its webhook was switched off, and kept afterwards."""
    owner = User.objects.get(pk=made.endpoint.owner_id)

    def switch_off():
        webhooks.disable(endpoint_id=made.endpoint.pk, actor=owner, now=NOW)

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            (destination,) = transport_named("webhook").destinations([owner])[owner.pk]
            future = pool.submit(with_own_connection(switch_off))
            blocked_or_done(future)
            assert not destination.held
            delivery = delivery_to(made.endpoint)
        future.result(timeout=PATIENCE)
    delivery.refresh_from_db()
    return delivery.status


def test_what_was_decided_before_a_webhook_was_switched_off_is_held():
    assert told_while_switched_off(webhook_of(person())) == "held"


def test_without_the_tellers_lock_it_would_go_out_to_one_that_is_off(monkeypatch):
    monkeypatch.setattr(webhook, "_ENDPOINTS", webhook._ENDPOINTS.replace("FOR KEY SHARE", ""))

    assert told_while_switched_off(webhook_of(person())) == "waiting"


def test_who_counts_a_success_does_not_wait_for_who_tells():
    made = webhook_of(person())
    delivery = delivery_to(made.endpoint)

    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        transport_named("webhook").destinations([made.endpoint.owner])
        pool.submit(with_own_connection(lambda: webhook_books.keep(delivery, outcome=Receipt(), now=NOW))).result(
            PATIENCE
        )

    assert WebhookEndpoint.objects.get().succeeded_at == NOW


def made_at_once(monkeypatch, *, patience):
    """How many webhooks a person has after two were made at once, of whom one was the last that may be."""
    owner = person()
    for _ in range(19):
        webhook_of(owner)
    counted = threading.Barrier(2)
    seal = webhooks.sealing.seal

    def after_counting(text):
        with suppress(threading.BrokenBarrierError):
            counted.wait(patience)
        return seal(text)

    def make():
        with suppress(TooManyWebhooks):
            webhook_of(owner)

    monkeypatch.setattr(webhooks.sealing, "seal", after_counting)
    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(with_own_connection(make)) for _ in range(2)]:
            future.result(timeout=PATIENCE)
    return WebhookEndpoint.objects.filter(owner=owner).count()


def test_two_made_at_once_are_counted_one_by_one(monkeypatch):
    assert made_at_once(monkeypatch, patience=1) == 20


def test_without_the_lock_on_the_person_there_would_be_one_too_many(monkeypatch):
    monkeypatch.setattr(webhooks, "locked", lambda user_id: None)

    assert made_at_once(monkeypatch, patience=PATIENCE) == 21


def introduced_by_two(monkeypatch, *, patience):
    """Whose a browser is that two people came in with at once."""
    looked = threading.Barrier(2)
    seal, by = push.sealing.seal, browser()

    def after_looking(text):
        with suppress(threading.BrokenBarrierError):
            looked.wait(patience)
        return seal(text)

    monkeypatch.setattr(push.sealing, "seal", after_looking)
    at_once(*(partial(subscription_of, owner, by=by) for owner in (person(), person())))
    return PushSubscription.objects.count()


def test_a_browser_that_two_came_in_with_at_once_belongs_to_one(monkeypatch):
    assert introduced_by_two(monkeypatch, patience=1) == 1


def test_without_its_turn_the_second_would_fail(monkeypatch):
    monkeypatch.setattr(push, "_take_turn", lambda digest: None)

    with pytest.raises(IntegrityError):
        introduced_by_two(monkeypatch, patience=PATIENCE)


def test_two_who_make_the_first_key_at_once_get_the_same(monkeypatch):
    both = threading.Barrier(2)
    new_key = push._new_key

    def made_together():
        key = new_key()
        both.wait(PATIENCE)
        return key

    monkeypatch.setattr(push, "_new_key", made_together)
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(with_own_connection(push.public_key)) for _ in range(2)]
        keys = {future.result(timeout=PATIENCE) for future in futures}

    assert keys == {VapidKey.objects.get().public}
    assert not Delivery.objects.exists()

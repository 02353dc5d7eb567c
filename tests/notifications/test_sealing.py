"""What must be read again is sealed at rest."""

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

from apps.notifications import sealing
from apps.notifications.sealing import SealNotOurs


@pytest.fixture(autouse=True)
def no_keys_named(settings):
    settings.SEALING_KEYS = []
    settings.SECRET_KEY = "the first secret of this installation"
    settings.SECRET_KEY_FALLBACKS = []


def test_what_is_sealed_does_not_show_and_opens_again():
    sealed = sealing.seal("whsec_grüße")

    assert b"whsec" not in sealed
    assert sealing.unseal(sealed) == "whsec_grüße"
    assert sealing.unseal(memoryview(sealed)) == "whsec_grüße"


def test_the_same_sealed_twice_looks_different():
    assert sealing.seal("a") != sealing.seal("a")


def test_without_the_key_nobody_opens_it(settings):
    sealed = sealing.seal("secret")
    settings.SECRET_KEY = "another"

    with pytest.raises(SealNotOurs):
        sealing.unseal(sealed)


def test_a_secret_key_that_became_a_fallback_still_opens_what_it_sealed(settings):
    sealed = sealing.seal("secret")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", [settings.SECRET_KEY]

    assert sealing.unseal(sealed) == "secret"


def test_a_key_is_changed_by_putting_a_new_one_before_it(settings):
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.SEALING_KEYS = [old]
    before = sealing.seal("before")
    settings.SEALING_KEYS = [new, old]
    after = sealing.seal("after")

    assert sealing.unseal(before) == "before"
    settings.SEALING_KEYS = [new]
    assert sealing.unseal(after) == "after"
    with pytest.raises(SealNotOurs):
        sealing.unseal(before)


def test_what_was_changed_is_not_opened():
    sealed = bytearray(sealing.seal("secret"))
    sealed[-10] ^= 1

    with pytest.raises(SealNotOurs):
        sealing.unseal(bytes(sealed))


def test_a_key_that_is_none_is_refused_without_telling_it(settings):
    settings.SEALING_KEYS = ["short-and-secret"]

    with pytest.raises(ImproperlyConfigured, match="SEALING_KEYS must be 32 bytes") as told:
        sealing.seal("a")
    assert "short-and-secret" not in str(told.value)

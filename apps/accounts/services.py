"""The only writers of people: who they are, where their clock hangs, and with which password they come in.

Each service is one transaction that locks the person's row first; a change others must know of is announced
inside it. The credentials they are given are written by `credentials`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from apps.accounts import credentials, signals, traces
from apps.accounts.exceptions import AccountErased, InvalidAccountField, StaffNotErased, StillActive, UsernameTaken
from apps.accounts.models import SignIn, User, look_of, validate_time_zone

CHANGEABLE = frozenset({"email", "first_name", "last_name", "time_zone"})


def sign_up(*, username: str, email: str, password: str, time_zone: str) -> User:
    """A new person; the password was found good enough by the caller.

    Raises `UsernameTaken` and `InvalidAccountField`.
    """
    _check("time_zone", time_zone)
    _check("email", email)
    # One person's `Ada` would be taken for another's `ada`. Asked here to spare the hashing; the row itself decides.
    if User.objects.filter(look=look_of(username)).exists():
        raise UsernameTaken
    try:
        return User.objects.create_user(username, email, password, time_zone=time_zone)
    except IntegrityError as reason:
        raise UsernameTaken from reason


@transaction.atomic
def change_profile(*, user_id: UUID, actor: User, changes: Mapping[str, Any], now: datetime) -> User:
    """Change fields of a person; a value that is the same already is no change. Raises `InvalidAccountField`."""
    if unknown := set(changes) - CHANGEABLE:
        raise InvalidAccountField(field=min(unknown), reason="This field cannot be changed.")
    for field, value in changes.items():
        _check(field, value)
    user = locked(user_id)
    made = {field: value for field, value in changes.items() if getattr(user, field) != value}
    before = user.time_zone
    for field, value in made.items():
        setattr(user, field, value)
    if made:
        user.save(update_fields=list(made))
    if "time_zone" in made:
        signals.time_zone_changed.send(sender=User, user=user, actor=actor, occurred_at=now, before=before)
    return user


def change_time_zone(*, user_id: UUID, actor: User, time_zone: str, now: datetime) -> User:
    """Hang a person's clock in another zone; the same zone again is no event. Raises `InvalidAccountField`."""
    return change_profile(user_id=user_id, actor=actor, changes={"time_zone": time_zone}, now=now)


@transaction.atomic
def change_password(*, user_id: UUID, password: str | None, now: datetime) -> User:
    """Set a password that the caller found good enough, or none; whoever came in with the old one is out."""
    user = locked(user_id)
    if password is None:
        user.set_unusable_password()
    else:
        user.set_password(password)
    user.save(update_fields=["password"])
    credentials.end_sign_ins(user=user, because=SignIn.Ended.PASSWORD_CHANGED, now=now)
    return user


@transaction.atomic
def deactivate(*, user_id: UUID, now: datetime) -> User:
    """Let a person in no more. What they came in with opens nothing also when they are let in again."""
    user = locked(user_id)
    user.is_active = False
    user.deactivations += 1
    user.save(update_fields=["is_active", "deactivations"])
    credentials.end_sign_ins(user=user, because=SignIn.Ended.DEACTIVATED, now=now)
    credentials.revoke_personal_tokens(user=user, now=now)
    return user


def check_may_be_erased(user: User) -> None:
    """Raises `StaffNotErased`: who has rights over others loses those first, by somebody's hand and on record."""
    if user.is_staff or user.is_superuser:
        raise StaffNotErased


@transaction.atomic
def erase(*, user_id: UUID, actor: User | None, now: datetime) -> User:
    """Leave of a person nothing but the id that the trail points to. Nothing brings them back.

    They were deactivated and their things taken away before. Raises `AccountErased` the second time, `StaffNotErased`
    and `StillActive`.
    """
    user = locked(user_id)
    check_may_be_erased(user)
    if user.is_active:
        raise StillActive
    name = _name_of_nobody(user)
    traces.forget(user, called=name)
    user.username, user.email, user.first_name, user.last_name, user.time_zone = name, "", "", "", "UTC"
    user.set_unusable_password()
    user.last_login, user.erased_at = None, now
    user.save()
    signals.account_erased.send(sender=User, user=user, actor=actor, occurred_at=now)
    return user


def _name_of_nobody(user: User) -> str:
    """From the end of the id, which is random; all of it should somebody have taken that as their name."""
    short = f"erased-{user.pk.hex[-12:]}"
    return f"erased-{user.pk.hex}" if User.objects.filter(look=short).exists() else short


def locked(user_id: UUID) -> User:
    """The person as they now are, changed by nobody else until the transaction ends. Raises `AccountErased`."""
    user = User.objects.select_for_update().get(pk=user_id)
    if user.erased_at is not None:
        raise AccountErased(user.erased_at)
    return user


def _check(field: str, value: str) -> None:
    check = {"time_zone": validate_time_zone, "email": _validate_email}.get(field)
    try:
        if check is not None:
            check(value)
    except ValidationError as reason:
        raise InvalidAccountField(field=field, reason=reason.messages[0]) from reason


def _validate_email(value: str) -> None:
    if value:
        validate_email(value)

"""Reads of accounts; whose a thing is, is decided here."""

from datetime import datetime
from functools import cache
from uuid import UUID

from django.db import connection
from django.db.models import Model, QuerySet

from apps.accounts import secret_texts
from apps.accounts.models import PersonalToken, SignIn, User


def tokens_of(owner: User) -> QuerySet[PersonalToken]:
    """A person's tokens that are not revoked; an expired one is shown as such."""
    return PersonalToken.objects.filter(user=owner, revoked_at=None)


def sign_in_of(*, sign_in_id: UUID, user_id: UUID) -> SignIn | None:
    """The sign-in with its person, in one query, if it still lets them in.

    Asked with every request, and always the same: to have the query built anew each time took a quarter of the
    time of a whole change.
    """
    with connection.cursor() as cursor:
        cursor.execute(_sign_in_with_person(), [sign_in_id, user_id])
        row = cursor.fetchone()
    if row is None:
        return None
    own = _columns(SignIn)
    sign_in = SignIn.from_db(connection.alias, own, row[: len(own)])
    sign_in.user = User.from_db(connection.alias, _columns(User), row[len(own) :])
    return sign_in if sign_in.holds else None


@cache
def _columns(model: type[Model]) -> list[str]:
    return [field.attname for field in model._meta.concrete_fields]  # noqa: SLF001 - Django's documented API


@cache
def _sign_in_with_person() -> str:
    asked = [f's."{name}"' for name in _columns(SignIn)] + [f'u."{name}"' for name in _columns(User)]
    tables = f"{SignIn._meta.db_table} s JOIN {User._meta.db_table} u ON u.id = s.user_id"  # noqa: SLF001
    return f"SELECT {', '.join(asked)} FROM {tables} WHERE s.id = %s AND s.user_id = %s"  # noqa: S608 - our own names


def personal_token_of(secret: str, *, now: datetime) -> PersonalToken | None:
    """The live token with its person, in one query, if it still lets them in."""
    digest = secret_texts.digest(secret)
    token = PersonalToken.objects.select_related("user").filter(digest=digest).first()
    return token if token and token.is_live(now) and token.user.is_active else None

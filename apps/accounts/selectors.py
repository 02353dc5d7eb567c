"""Reads of accounts; whose a thing is, is decided here."""

from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from apps.accounts import secret_texts
from apps.accounts.models import PersonalToken, SignIn, User


def tokens_of(owner: User) -> QuerySet[PersonalToken]:
    """A person's tokens that are not revoked; an expired one is shown as such."""
    return PersonalToken.objects.filter(user=owner, revoked_at=None)


def sign_in_of(*, sign_in_id: UUID, user_id: UUID) -> SignIn | None:
    """The sign-in with its person, in one query, if it still lets them in."""
    sign_in = SignIn.objects.select_related("user").filter(pk=sign_in_id, user_id=user_id).first()
    return sign_in if sign_in and sign_in.holds else None


def personal_token_of(secret: str, *, now: datetime) -> PersonalToken | None:
    """The live token with its person, in one query, if it still lets them in."""
    digest = secret_texts.digest(secret)
    token = PersonalToken.objects.select_related("user").filter(digest=digest).first()
    return token if token and token.is_live(now) and token.user.is_active else None

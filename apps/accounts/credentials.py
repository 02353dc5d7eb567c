"""The only writer of what people come in with: sign-ins, personal tokens, tickets.

Each function is one transaction. Invariant: of a sign-in one refresh token is good at a time, and one that was
exchanged before ends the whole sign-in; a ticket opens one socket. Nothing is made for who was deactivated.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from apps.accounts import secret_texts
from apps.accounts.exceptions import (
    InvalidAccountField,
    RefreshTokenReused,
    SignInEnded,
    TokenNotFound,
    TooManyTokens,
)
from apps.accounts.models import PersonalToken, SignIn, SocketTicket, User

log = structlog.get_logger(__name__)

MAX_LIVE_TOKENS = 20
DEFAULT_TOKEN_DAYS = 90
MAX_TOKEN_DAYS = 366
# A token that no longer opens anything stays in the admin so long.
KEPT_TOKEN_DAYS = 90
USE_NOTED_EVERY = timedelta(hours=1)
TICKET_SECONDS = 30
# A new row takes at most so many outlived ones with it.
PRUNED_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class NewToken:
    """A personal token as it was made: `secret` exists here and nowhere else."""

    row: PersonalToken
    secret: str


# --- Sign-ins at the API ------------------------------------------------------------------------------


@transaction.atomic
def start_sign_in(*, user: User, now: datetime) -> SignIn:
    """Let a person in whose password was just checked. Raises `SignInEnded` for who was deactivated since."""
    _locked(user)
    User.objects.filter(pk=user.pk).update(last_login=now)
    _prune(SignIn.objects.filter(expires_at__lt=now))
    return SignIn.objects.create(
        user=user,
        token_id=uuid4(),
        password_mark=user.password_mark,
        created_at=now,
        refreshed_at=now,
        expires_at=now + settings.REFRESH_TOKEN_LIFETIME,
    )


def continue_sign_in(*, sign_in_id: UUID, token_id: UUID, now: datetime) -> SignIn:
    """Exchange a refresh token for the next one.

    Raises `RefreshTokenReused`, having ended the sign-in, and `SignInEnded`.
    """
    with transaction.atomic():
        sign_in = SignIn.objects.select_for_update(of=("self",)).select_related("user").filter(pk=sign_in_id).first()
        if sign_in is None or sign_in.ended_at or sign_in.expires_at <= now:
            raise SignInEnded
        refusal = _refusal(sign_in, token_id)
        if refusal is None:
            sign_in.token_id, sign_in.refreshed_at = uuid4(), now
            sign_in.expires_at = now + settings.REFRESH_TOKEN_LIFETIME
            sign_in.save(update_fields=["token_id", "refreshed_at", "expires_at"])
            return sign_in
        because, reason = refusal
        _end(SignIn.objects.filter(pk=sign_in.pk), because=because, now=now)
    # After the transaction: what was ended stays ended.
    log.warning("sign_in_refused", sign_in_id=str(sign_in_id), user_id=str(sign_in.user_id), because=str(because))
    raise reason


def _refusal(sign_in: SignIn, token_id: UUID) -> tuple[SignIn.Ended, SignInEnded] | None:
    if not sign_in.user.is_active:
        return SignIn.Ended.DEACTIVATED, SignInEnded()
    if not sign_in.holds:
        return SignIn.Ended.PASSWORD_CHANGED, SignInEnded()
    if was_exchanged(sign_in, token_id):
        return SignIn.Ended.TOKEN_REUSED, RefreshTokenReused()
    return None


def was_exchanged(sign_in: SignIn, token_id: UUID) -> bool:
    return sign_in.token_id != token_id


def end_sign_in(*, user: User, sign_in_id: UUID, now: datetime) -> bool:
    """Sign out; once more is no fault. False when this person has no such sign-in."""
    own = SignIn.objects.filter(pk=sign_in_id, user=user)
    if not own.exists():
        return False
    _end(own, because=SignIn.Ended.SIGNED_OUT, now=now)
    return True


def end_sign_ins(*, user: User, because: SignIn.Ended, now: datetime) -> int:
    """End all of a person's sign-ins; how many there were."""
    return _end(SignIn.objects.filter(user=user), because=because, now=now)


def end_selected(sign_ins: QuerySet[SignIn], *, now: datetime) -> int:
    """End those an administrator chose; how many still went on."""
    return _end(sign_ins, because=SignIn.Ended.BY_ADMIN, now=now)


def _end(sign_ins: QuerySet[SignIn], *, because: SignIn.Ended, now: datetime) -> int:
    return sign_ins.filter(ended_at=None).update(ended_at=now, ended_because=because)


# --- Personal tokens ----------------------------------------------------------------------------------


@transaction.atomic
def create_personal_token(
    *, user: User, name: str, scopes: Collection[str], expires_at: datetime | None, now: datetime
) -> NewToken:
    """Give a person a key for a script.

    Raises `InvalidAccountField`, `TooManyTokens`, and `SignInEnded` for who was deactivated since they came in.
    """
    expires_at = expires_at or now + timedelta(days=DEFAULT_TOKEN_DAYS)
    if not now < expires_at <= now + timedelta(days=MAX_TOKEN_DAYS):
        reason = f"A token expires in the future, within {MAX_TOKEN_DAYS} days."
        raise InvalidAccountField(field="expires_at", reason=reason)
    if not scopes or not set(scopes) <= set(PersonalToken.Scope.values):
        raise InvalidAccountField(field="scopes", reason="Name `read`, `write` or both.")
    _locked(user)  # so that two at once are counted one by one
    own = PersonalToken.objects.filter(user=user)
    if own.filter(revoked_at=None, expires_at__gt=now).count() >= MAX_LIVE_TOKENS:
        raise TooManyTokens(MAX_LIVE_TOKENS)
    long_ago = now - timedelta(days=KEPT_TOKEN_DAYS)
    _prune(own.filter(expires_at__lt=long_ago) | own.filter(revoked_at__lt=long_ago))
    secret = secret_texts.new_personal_token()
    row = PersonalToken.objects.create(
        user=user,
        name=name,
        prefix=secret[: secret_texts.SHOWN_CHARACTERS],
        digest=secret_texts.digest(secret),
        scopes=sorted(set(scopes)),
        created_at=now,
        expires_at=expires_at,
    )
    return NewToken(row, secret)


def revoke_personal_token(*, user: User, token_id: UUID, now: datetime) -> None:
    """Raises `TokenNotFound`, also for one that is revoked already."""
    if not PersonalToken.objects.filter(pk=token_id, user=user, revoked_at=None).update(revoked_at=now):
        raise TokenNotFound(token_id)


def revoke_personal_tokens(*, user: User, now: datetime) -> int:
    """Revoke all of a person's; how many there were."""
    return PersonalToken.objects.filter(user=user, revoked_at=None).update(revoked_at=now)


def note_use(token: PersonalToken, *, now: datetime) -> None:
    """Remember that a token was used, at most once an hour: finer would be a write for every request."""
    long_ago = now - USE_NOTED_EVERY
    if token.last_used_at is None or token.last_used_at <= long_ago:
        # Asked again of the row: of many requests at once, one writes.
        stale = Q(last_used_at=None) | Q(last_used_at__lte=long_ago)
        PersonalToken.objects.filter(stale, pk=token.pk).update(last_used_at=now)


# --- Tickets ------------------------------------------------------------------------------------------


@transaction.atomic
def issue_ticket(*, user: User) -> str:
    """A secret that opens one socket within 30 seconds by the database's clock."""
    _prune(SocketTicket.objects.filter(expires_at__lt=Now()))
    secret = secret_texts.new_ticket()
    lifetime = timedelta(seconds=TICKET_SECONDS)
    SocketTicket.objects.create(user=user, digest=secret_texts.digest(secret), expires_at=Now() + lifetime)
    return secret


def redeem_ticket(ticket: str) -> User | None:
    """The person who asked for it, once; `None` for any other text, or when it is too late."""
    found = (
        SocketTicket.objects.select_related("user")
        .filter(digest=secret_texts.digest(ticket), expires_at__gt=Now(), user__is_active=True)
        .first()
    )
    if found is None:
        return None
    # Of two at once the row goes by the hand of one.
    gone, _ = SocketTicket.objects.filter(pk=found.pk).delete()
    return found.user if gone == 1 else None


# --- Together -----------------------------------------------------------------------------------------


def _locked(user: User) -> None:
    """Whoever deactivates them comes before, which is refused here, or after, and then finds what is made."""
    if not User.objects.select_for_update().filter(pk=user.pk, is_active=True).exists():
        raise SignInEnded


def _prune(outlived: QuerySet) -> None:
    rows = outlived.order_by("pk").select_for_update(skip_locked=True).values("pk")[:PRUNED_AT_ONCE]
    outlived.model._default_manager.filter(pk__in=rows).delete()  # noqa: SLF001 - its documented API

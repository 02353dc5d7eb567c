"""What a person leaves beside their row, and taking it away: credentials, sessions, failed sign-ins, the admin's log.

Writes only in the transaction of `services.erase`.
"""

from collections.abc import Collection
from dataclasses import dataclass

from django.contrib.admin.models import LogEntry
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db.models import Q, QuerySet

from apps.accounts.models import FailedSignIns, PersonalToken, SignIn, SocketTicket, User


@dataclass(frozen=True, slots=True)
class Traces:
    sign_ins: int
    personal_tokens: int
    sessions: int
    failed_sign_ins: int
    admin_log_entries: int


def count(user: User) -> Traces:
    return Traces(
        sign_ins=SignIn.objects.filter(user=user).count(),
        personal_tokens=PersonalToken.objects.filter(user=user).count(),
        sessions=len(_sessions(user)),
        failed_sign_ins=_failed_sign_ins(user).count(),
        admin_log_entries=admin_log_of(_ids(user)).count(),
    )


def forget(user: User, *, called: str) -> None:
    """Take all of it away; where the admin's log tells of the person, it calls them `called`."""
    admin_log_of(_ids(user)).update(object_repr=called, change_message="")
    user.groups.clear()
    user.user_permissions.clear()
    for credential in (SignIn, PersonalToken, SocketTicket):
        credential._default_manager.filter(user=user).delete()  # noqa: SLF001 - its documented API
    Session.objects.filter(pk__in=_sessions(user)).delete()
    _failed_sign_ins(user).delete()


def admin_log_of(ids: Collection[str]) -> QuerySet[LogEntry]:
    """What the admin's log tells of the things with these ids, whoever did it."""
    return LogEntry.objects.filter(object_id__in=ids)


def _ids(user: User) -> list[str]:
    credentials = [
        pk
        for credential in (SignIn, PersonalToken, SocketTicket)
        for pk in credential._default_manager.filter(user=user).values_list("pk", flat=True)  # noqa: SLF001
    ]
    return [str(pk) for pk in (user.pk, *credentials)]


def _sessions(user: User) -> list[str]:
    """Whose a session is stands in its signed text: each is read."""
    sessions = Session.objects.only("session_key", "session_data").iterator(chunk_size=1000)
    return [session.pk for session in sessions if session.get_decoded().get(SESSION_KEY) == str(user.pk)]


def _failed_sign_ins(user: User) -> QuerySet[FailedSignIns]:
    """Those for their name, or for their address typed where the name belongs; in any capitals."""
    typed = Q(username__iexact=user.username)
    return FailedSignIns.objects.filter(typed | Q(username__iexact=user.email) if user.email else typed)

"""Hands a mail to the mail server, or puts it into the folder where there is none, and tells what came of it.

Invariant: nothing here asks the database, and one handing over ends within `seconds`; once the server has said that it
has the mail, nothing that happens afterwards makes it unsent. What is told of it has no password,
and no link to act by.
"""

import smtplib
import time
from collections.abc import Mapping
from datetime import datetime
from email.charset import QP, Charset
from email.header import Header, decode_header, make_header
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from typing import Any, Never
from uuid import UUID

import structlog
from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends import smtp

from apps.accounts import filebased
from apps.notifications.mail.letters import hostname
from apps.notifications.mail.links import without_tokens
from apps.notifications.transports.base import NotSent, Receipt, Refused, TryAgain

log = structlog.get_logger(__name__)

# Seven bits and short lines: no server on the way has to write it anew, which would break a signature of it.
_PRINTABLE = Charset("utf-8")
_PRINTABLE.body_encoding = QP

_TOO_LARGE = 552
_LONGEST_ANSWER = 1000


def message(content: Mapping[str, Any], *, to: str, key: UUID) -> EmailMultiAlternatives:
    """The mail, alike in every attempt: `key` names it, so that who gets it twice can tell."""
    headers = {
        "Message-ID": f"<{key}@{hostname()}>",
        "X-Delivery-ID": str(key),
        "Date": format_datetime(datetime.fromisoformat(content["date"])),
        **content["headers"],
    }
    mail = EmailMultiAlternatives(_as_written(content["subject"]), content["text"], to=[to], headers=headers)
    mail.attach_alternative(content["html"], "text/html")
    mail.encoding = _PRINTABLE
    return mail


def hand_over(mail: EmailMultiAlternatives, *, key: UUID, seconds: float) -> Receipt:
    """Raises `TryAgain` and `Refused`, both with what the server said."""
    subject = str(make_header(decode_header(str(mail.subject))))
    request = {"to": mail.to[0], "subject": subject, "message_id": mail.extra_headers["Message-ID"]}
    if settings.EMAIL_HOST:
        return _by_smtp(mail, request=request, seconds=seconds)
    return _into_folder(mail, request=request, key=key)


def _as_written(subject: str) -> str:
    """Encoded where it looks like what mail programs decode, so that what somebody typed is what is read."""
    return Header(subject, "utf-8").encode(linesep="") if "=?" in subject else subject


class _Listening(smtplib.SMTP):
    """Remembers what the server answered last, and waits for no answer beyond `ends_at` of the monotonic clock."""

    ends_at = float("inf")
    last: tuple[int, str] = (0, "")

    def getreply(self) -> tuple[int, bytes]:
        if self.sock is not None:
            left = self.ends_at - time.monotonic()
            self.sock.settimeout(max(min(left, settings.EMAIL_TIMEOUT), 0.01))
        code, words = super().getreply()
        self.last = (code, _text(words))
        return code, words


class _Server(smtp.EmailBackend):
    """One connection, for one mail."""

    def __init__(self, *, seconds: float) -> None:
        super().__init__()
        ends_at = time.monotonic() + seconds
        self._class = type("_Bounded", (_Listening,), {"ends_at": ends_at})

    @property
    def connection_class(self) -> Any:
        return self._class

    def hand_over(self, mail: EmailMultiAlternatives) -> tuple[int, str]:
        """What the server said when it took the mail."""
        try:
            self.open()
            # Not `send_messages`, which would ask the server to say goodbye before its answer is kept.
            self._send(mail)  # type: ignore[attr-defined]
            connection: Any = self.connection
            answer: tuple[int, str] = connection.last
        finally:
            self._leave()
        return answer

    def _leave(self) -> None:
        try:
            self.close()
        except (smtplib.SMTPException, OSError):
            log.debug("mail_server_left_without_a_word")


class _Folder(filebased.EmailBackend):
    """A file per mail, whole or not there."""

    def __init__(self, *, path: Path) -> None:
        super().__init__()
        self._path = path

    def _get_filename(self) -> str:
        return str(self._path)


def _by_smtp(mail: EmailMultiAlternatives, *, request: dict[str, Any], seconds: float) -> Receipt:
    request = {**request, "server": f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}"}
    try:
        code, words = _Server(seconds=seconds).hand_over(mail)
    except (smtplib.SMTPException, OSError) as reason:
        _explain(reason, request=request)
    return Receipt(request, {"code": code, "answer": words})


def _explain(reason: smtplib.SMTPException | OSError, *, request: dict[str, Any]) -> Never:
    """Raise what a failure amounts to: what is about this mail is settled, what is about the server may heal."""
    sort: type[NotSent] = TryAgain
    told = f"The mail server is not to be reached, or went away: {_text(str(reason))}"
    code, words = _answer(reason)
    match reason:
        case smtplib.SMTPRecipientsRefused():
            sort, told = _by_code(code), f"The mail server does not take mail for this address: {code} {words}"
        case smtplib.SMTPAuthenticationError():
            told = f"The mail server does not let us in; look at EMAIL_HOST_USER and its password: {code} {words}"
        case smtplib.SMTPSenderRefused():
            sort = Refused if code == _TOO_LARGE else TryAgain
            told = f"The mail server does not take mail from our address; look at EMAIL_FROM: {code} {words}"
        case smtplib.SMTPDataError():
            sort, told = _by_code(code), f"The mail server does not take this mail: {code} {words}"
        case smtplib.SMTPResponseException():
            told = f"The mail server does not serve us now: {code} {words}"
        case smtplib.SMTPNotSupportedError():
            told = f"The mail server cannot do what is asked of it; look at EMAIL_USE_TLS: {_text(str(reason))}"
    response = {"code": code, "answer": words} if code else {}
    raise sort(told, request=request, response=response) from reason


def _by_code(code: int) -> type[NotSent]:
    return Refused if code >= 500 else TryAgain


def _answer(reason: Exception) -> tuple[int, str]:
    """The server's own code and words; 0 where it said nothing."""
    if isinstance(reason, smtplib.SMTPRecipientsRefused):
        code, words = next(iter(reason.recipients.values()))
        return code, _text(words)
    if isinstance(reason, smtplib.SMTPResponseException):
        return reason.smtp_code, _text(reason.smtp_error)
    return 0, ""


def _text(words: bytes | str) -> str:
    text = words.decode(errors="replace") if isinstance(words, bytes) else words
    if settings.EMAIL_HOST_PASSWORD:
        text = text.replace(settings.EMAIL_HOST_PASSWORD, "…")
    # Some servers give back what they were sent; it is kept, and told to others.
    return str(without_tokens(" ".join(text.split())))[:_LONGEST_ANSWER]


def _into_folder(mail: EmailMultiAlternatives, *, request: dict[str, Any], key: UUID) -> Receipt:
    if not settings.EMAIL_BACKEND.endswith("filebased.EmailBackend"):
        get_connection().send_messages([mail])
        return Receipt(request, {"answer": f"Given to {settings.EMAIL_BACKEND}."})
    folder = Path(settings.EMAIL_FILE_PATH)
    # Whoever can read a mail can follow its links.
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    composed_at = parsedate_to_datetime(mail.extra_headers["Date"])
    place = folder / f"{composed_at:%Y%m%d-%H%M%S}-{key}.eml"
    if not place.exists():
        partial = place.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        _Folder(path=partial).send_messages([mail])
        partial.replace(place)
    log.info("mail_written", file=str(place))
    return Receipt(request, {"answer": f"There is no mail server: it was written to {place}.", "file": str(place)})

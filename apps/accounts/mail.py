"""Sends mail beside the request that asked for it: one after the other, in this process.

Invariant: what a caller waits for does not depend on whether a mail is sent. A mail that is waiting when its
process ends is lost; whoever asked for it asks again.
"""

import email
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from email.utils import getaddresses
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any

import structlog
from django.conf import settings
from django.core.mail import EmailMessage

log = structlog.get_logger(__name__)

MAX_WAITING = 100
# What Django calls them by itself, too.
_SUFFIXES = {".eml", ".log"}

_sender = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mail")
_room = BoundedSemaphore(MAX_WAITING)
_waiting: set[Future[None]] = set()


def send_soon(message: EmailMessage, *, user_id: Any) -> None:
    """Queue a mail to a person. With too many waiting it is dropped, with a line in the log."""
    if not _room.acquire(blocking=False):
        log.error("mail_dropped", user_id=str(user_id), waiting=MAX_WAITING)
        return
    sending = _sender.submit(_send, message, str(user_id))
    _waiting.add(sending)
    sending.add_done_callback(_waiting.discard)


def wait_until_sent(*, seconds: float = 10) -> None:
    """Return when what was queued until now is sent or has failed."""
    wait(list(_waiting), timeout=seconds)


def kept_for(address: str) -> Iterator[Path]:
    """The files that mails to an address lie in where no mail server takes them."""
    folder = Path(settings.EMAIL_FILE_PATH)
    if settings.EMAIL_HOST or not address or not folder.is_dir():
        return
    for path in sorted(place for place in folder.iterdir() if place.suffix in _SUFFIXES):
        mail = email.message_from_bytes(path.read_bytes())
        told = [str(text) for name in ("To", "Cc", "Bcc") for text in mail.get_all(name, [])]
        if address.casefold() in {found.casefold() for _, found in getaddresses(told)}:
            yield path


def _send(message: EmailMessage, user_id: str) -> None:
    try:
        if not settings.EMAIL_HOST:
            # Whoever can read a mail can follow its link.
            Path(settings.EMAIL_FILE_PATH).mkdir(mode=0o700, parents=True, exist_ok=True)
        message.send()
    except Exception:
        log.exception("mail_failed", user_id=user_id)
    else:
        # Neither the address nor the text: a link in it opens an account.
        place = {} if settings.EMAIL_HOST else {"folder": settings.EMAIL_FILE_PATH}
        log.info("mail_sent", user_id=user_id, **place)
    finally:
        _room.release()

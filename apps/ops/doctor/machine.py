"""What is on this machine or near it: the disk, who listens on our ports, and the way mails go."""

import http.client
import json
import os
import shutil
import smtplib
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings

from apps.ops.doctor.examination import Verdict, warning, well, worst_of, wrong

BASE_DIR = Path(__file__).resolve().parents[3]
GIB = 1024**3
_LOW, _OUT = 2 * GIB, GIB // 5
_ASK_SECONDS = 2
_RUN = "Start the platform: `make run`."


def disk() -> Verdict:
    """Where we write; PostgreSQL, Redis and Kafka elsewhere cannot be told from here."""
    folders = {BASE_DIR}
    if settings.configured and settings.HEARTBEAT_DIR:
        folders.add(Path(settings.HEARTBEAT_DIR))
    return worst_of(map(_room_in, folders), otherwise=f"{shutil.disk_usage(BASE_DIR).free / GIB:.1f} GiB free")


def _room_in(folder: Path) -> Verdict:
    try:
        free = shutil.disk_usage(folder).free
    except OSError as reason:
        return wrong(f"{folder}: {reason.strerror}", fix=f"Make the folder {folder}, or name another.")
    told = f"{free / GIB:.1f} GiB free in {folder}"
    fix = "Free space: logs, old images, or a larger volume."
    if free < _OUT:
        return wrong(told, fix=fix)
    return warning(told, fix=fix) if free < _LOW else well(told)


def web() -> Verdict:
    return _whose_answer("web", settings.PORT)


def ws() -> Verdict:
    return _whose_answer("ws", settings.WS_PORT)


def _whose_answer(role: str, port: int) -> Verdict:
    """Nobody, ours, or a stranger: ours says that it lives, in JSON."""
    host = "127.0.0.1" if settings.BIND_HOST in {"0.0.0.0", "::"} else settings.BIND_HOST  # noqa: S104 - compared only
    connection = http.client.HTTPConnection(host, port, timeout=_ASK_SECONDS)
    try:
        connection.request("GET", "/health/live/", headers={"Host": urlsplit(settings.PUBLIC_URL).hostname or host})
        response = connection.getresponse()
        ours = response.status == http.HTTPStatus.OK and json.loads(response.read(1000)) == {"status": "ok"}
    except ConnectionRefusedError:
        if not settings.EMBEDDED_STACK:
            return well(f"nobody listens on {host}:{port} here; the heartbeats tell of the cluster")
        return wrong(f"nobody listens on {host}:{port}", fix=_RUN)
    except TimeoutError:
        return wrong(
            f"{host}:{port} takes connections and does not answer", fix=f"Look at the log of {role}, and restart it."
        )
    except (OSError, ValueError, http.client.HTTPException):
        ours = False
    finally:
        connection.close()
    if ours:
        return well(f"ours answers on {host}:{port}")
    return wrong(
        f"a stranger listens on {host}:{port}",
        fix=f"Move ours: `make run PORT={settings.PORT + 100}`; or end the other program.",
    )


def mail() -> Verdict:
    if not settings.EMAIL_HOST:
        folder = Path(settings.EMAIL_FILE_PATH)
        nearest = next(each for each in (folder, *folder.parents) if each.exists())
        if not (nearest.is_dir() and os.access(nearest, os.W_OK)):
            return wrong(f"the folder of mails, {folder}, cannot be written", fix="Name another in EMAIL_FOLDER.")
        if not settings.EMBEDDED_STACK:
            return warning(f"no mail server: mails are files in {folder}", fix="Set EMAIL_HOST.")
        return well(f"no mail server: mails are files in {folder}")
    place = f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}"
    try:
        with smtplib.SMTP(settings.EMAIL_HOST, settings.EMAIL_PORT, timeout=3) as server:
            if settings.EMAIL_USE_TLS:
                server.starttls()
            if settings.EMAIL_HOST_USER:
                server.login(settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD)
    except smtplib.SMTPAuthenticationError:
        return wrong(f"{place} refuses our user", fix="Correct EMAIL_HOST_USER and EMAIL_HOST_PASSWORD.")
    except (OSError, smtplib.SMTPException) as reason:
        return wrong(f"{place}: {reason}", fix="Correct EMAIL_HOST, EMAIL_PORT and EMAIL_USE_TLS, or mend the server.")
    return well(f"{place} lets us in")

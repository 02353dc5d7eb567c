"""Takes e-mail over SMTP: `python -m tests.support.smtp_receiver FOLDER`."""

import asyncio
import email
import sys
import time
from email import policy
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller

from tests.support import receiving
from tests.support.receiving import Given

TAKEN = 250


class Taking:
    def __init__(self, folder: Path) -> None:
        self.journal = receiving.Journal(folder / "journal")
        self.modes = receiving.Modes(folder / "mode", good=TAKEN, bad=451)

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802  aiosmtpd's name
        content = email.message_from_bytes(envelope.content, policy=policy.default)
        headers = {name.lower(): str(value) for name, value in content.items()}
        key = headers.get("message-id", "").strip("<>").partition("@")[0]
        behaviour = self.modes.of(key)
        to = ",".join(envelope.rcpt_tos)
        self.journal.note(
            Given(time.time(), key, to, headers, envelope.content.decode(), behaviour.answer, _texts(content))
        )
        await asyncio.sleep(behaviour.wait_seconds)
        if behaviour.answer == 0:
            server.transport.abort()
            return ""
        return f"{behaviour.answer} {'OK' if behaviour.answer == TAKEN else 'not now'}"


class AtAnyPort(Controller):
    """Listens on a thread, at a port that was free: `port`, once it has started."""

    def __init__(self, handling: Any, **options: Any) -> None:
        super().__init__(handling, hostname="127.0.0.1", port=0, **options)

    def _trigger_server(self) -> None:
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


def _texts(content: Any) -> str:
    """What it says, as text and as HTML; what holds the parts together is drawn anew each time."""
    parts = [part for part in content.walk() if part.get_content_maintype() == "text"]
    return "\n".join(part.get_content() for part in parts)


def main(folder: Path) -> None:
    controller = AtAnyPort(Taking(folder))
    controller.start()
    receiving.announce(folder / "port", controller.port)
    receiving.live_until_told()


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Mails as files, one each, as mail programs open them: what Django does without a mail server, but for their names."""

from pathlib import Path
from typing import Any

from django.core.mail import EmailMessage
from django.core.mail.backends import filebased

_Django: Any = filebased.EmailBackend


class EmailBackend(_Django):
    def write_message(self, message: EmailMessage) -> None:
        """Without the line that Django puts between mails: who follows writes a file of their own."""
        self.stream.write(message.message().as_bytes() + b"\n")

    def _get_filename(self) -> str:
        return str(Path(super()._get_filename()).with_suffix(".eml"))

"""Writes log lines so that none is torn.

Invariant: what is written at once is whole lines, and no more than a pipe takes whole from one process among several.

Source: POSIX, `write` to a pipe of at most PIPE_BUF bytes.
"""

import logging
import select
from collections.abc import Iterator
from typing import TextIO


class WholeLines(logging.StreamHandler[TextIO]):
    """A handler of whose records one may be many lines."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            for part in whole_lines(self.format(record), at_most=select.PIPE_BUF):
                self.stream.write(part)
            self.flush()
        except RecursionError:
            raise
        except Exception:  # noqa: BLE001 - as logging's own: what cannot be told must not stop the work
            self.handleError(record)


def whole_lines(text: str, *, at_most: int) -> Iterator[str]:
    """A text in parts of whole lines of so many bytes at most; a longer line is a part of its own."""
    part: list[str] = []
    size = 0
    for line in text.split("\n"):
        length = len(line.encode(errors="replace")) + 1
        if part and size + length > at_most:
            yield "\n".join(part) + "\n"
            part, size = [], 0
        part.append(line)
        size += length
    yield "\n".join(part) + "\n"

"""Names as a person types them into one field: with commas between, in quotation marks if one has a comma. Pure."""

import csv
import io
from collections.abc import Iterable


def separated(text: str) -> list[str]:
    row: list[str] = next(csv.reader([text], skipinitialspace=True), [])
    return [name.strip() for name in row if name.strip()]


def joined(names: Iterable[str]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="").writerow(names)
    text = written.getvalue()
    return text if '"' in text else text.replace(",", ", ")

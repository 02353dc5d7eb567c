"""Lists as people type them into one field."""

import csv
import io
from collections.abc import Sequence

from django import template

register = template.Library()


@register.filter
def comma_separated(names: Sequence[str] | str) -> str:
    """Names between commas; one that has a comma itself stands in quotation marks."""
    if isinstance(names, str):
        return names
    written = io.StringIO()
    csv.writer(written, lineterminator="", delimiter=",").writerow(names)
    return written.getvalue().replace(",", ", ") if not any("," in str(name) for name in names) else written.getvalue()

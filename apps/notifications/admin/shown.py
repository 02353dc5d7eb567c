"""How instants, things and JSON are shown on these pages.

Invariant: no token of a link in a mail is shown, to whomever.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.urls import reverse
from django.utils import formats, timezone
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from apps.notifications.mail.links import without_tokens
from apps.notifications.selectors.explaining import Reason

TITLE_SHOWN = 80


def shortened(text: str, most: int = TITLE_SHOWN) -> str:
    return Truncator(text).chars(most)


def at(instant: datetime | None) -> str:
    """As the admin writes instants."""
    return formats.date_format(timezone.localtime(instant), "DATETIME_FORMAT") if instant else ""


def link(page: str, pk: Any, text: str) -> SafeString:
    """To the page of a thing: `tasks_task`, `notifications_delivery`."""
    return format_html('<a href="{}">{}</a>', reverse(f"admin:{page}_change", args=[pk]), text)


def links_to_list(page: str, text: str, **narrowed: Any) -> SafeString:
    address = reverse(f"admin:{page}_changelist")
    return format_html('<a href="{}?{}">{}</a>', address, urlencode(narrowed), text)


def trail_of(thing_id: UUID | str) -> str:
    return f"{reverse('admin:audit_auditrecord_changelist')}?{urlencode({'subject': str(thing_id)})}"


def as_json(value: Any) -> SafeString:
    """Without the tokens of links."""
    told = json.dumps(without_tokens(value), indent=2, ensure_ascii=False, default=str)
    return format_html("<pre>{}</pre>", told)


def as_content(content: dict[str, Any]) -> SafeString:
    """What is sent, without the tokens of links: a mail as it is read, its HTML and its headers behind a click."""
    if not isinstance(content.get("text"), str) or not isinstance(content.get("html"), str):
        return as_json(content)
    rest = {name: value for name, value in content.items() if name not in {"subject", "text", "html"}}
    return format_html(
        '<p><strong>{}</strong></p><pre class="letter" dir="auto">{}</pre>'
        '<details class="attempt"><summary>Headers</summary>{}</details>'
        '<details class="attempt"><summary>HTML</summary><pre>{}</pre></details>',
        without_tokens(content.get("subject", "")),
        without_tokens(content["text"]),
        as_json(rest),
        without_tokens(content["html"]),
    )


def table(kind: str, heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> SafeString:
    """Of its own width: on a phone it scrolls, not the page."""
    cells = [(format_html_join("", "<td>{}</td>", [(cell,) for cell in row]),) for row in rows]
    if not cells:
        return format_html("{}", "None.")
    return format_html(
        '<div class="wide"><table class="{}"><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>',
        kind,
        format_html_join("", "<th>{}</th>", [(head,) for head in heads]),
        format_html_join("", "<tr>{}</tr>", cells),
    )


def reasons_table(reasons: Iterable[Reason]) -> SafeString:
    """Why somebody was told, or was not."""
    rows = [
        (at(one.at), one.transport or "all", one.what.replace("_", " "), without_tokens(one.reason)) for one in reasons
    ]
    return table("reasons", ["When", "Transport", "What", "Why"], rows)

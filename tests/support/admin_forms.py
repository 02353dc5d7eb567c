"""Sends the admin's forms as a browser does: whole, as they were shown, with some of it typed over."""

from typing import Any

from django.http import HttpResponse
from django.test import Client


def typed(client: Client, path: str, **fields: Any) -> dict[str, str]:
    """Every field of the form at an address, as it is shown there; `fields` are typed over."""
    form = client.get(path).context["adminform"].form
    sent: dict[str, str] = {}
    for bound in form:
        shown, widget = bound.value(), bound.field.widget
        parts = widget.decompress(shown) if hasattr(widget, "decompress") else [shown]
        names = [f"{bound.html_name}_{number}" for number in range(len(parts))] if len(parts) > 1 else [bound.html_name]
        sent |= {name: "" if part is None else str(part) for name, part in zip(names, parts, strict=True)}
    return {**sent, **fields}


def save(client: Client, path: str, **fields: Any) -> HttpResponse:
    """Save the form at an address, with `fields` typed over."""
    return client.post(path, typed(client, path, **fields))  # type: ignore[return-value]


def errors(response: Any) -> dict[str, list[str]]:
    """What stands beside the fields of a form that came back."""
    return {field: list(told) for field, told in response.context["adminform"].form.errors.items()}

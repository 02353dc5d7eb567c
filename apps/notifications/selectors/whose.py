"""Whose things a person sees: the one place that decides it for this app."""

from typing import Any

from django.db.models import QuerySet

from apps.accounts.models import User


def owned_by(rows: QuerySet[Any, Any], owner: User) -> Any:
    """Those of the rows that are a person's own."""
    return rows.filter(owner=owner)

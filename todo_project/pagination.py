"""Pages of lists by cursor: however far down, a page is found by an index and stays put while rows come in.

Invariant: a page has at most 100 entries; a cursor that is not ours is refused, never an error.
"""

from typing import Any

from django.core.exceptions import ValidationError as NotOfTheField
from django.db.models import QuerySet
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request


class NewestFirst(CursorPagination):
    """By `-id`, which is by age; a view with another order names it in `page_ordering`, unique field last."""

    page_size = 50
    max_page_size = 100
    page_size_query_param = "page_size"
    page_size_query_description = "Entries on a page: 50 by default, 100 at most."
    cursor_query_description = "Where a page starts: taken from the `next` or `previous` of another page."
    ordering = "-id"

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: Any) -> tuple[str, ...]:
        ordering = getattr(view, "page_ordering", self.ordering)
        return (ordering,) if isinstance(ordering, str) else tuple(ordering)

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any] | None:
        field = self.get_ordering(request, queryset, view)[0].lstrip("-")
        if not self._fits(request, queryset.model._meta.get_field(field)):  # noqa: SLF001 - its documented API
            told = "Not a cursor of this list; take one from `next` or `previous`."
            raise ValidationError({self.cursor_query_param: [told]})
        return super().paginate_queryset(queryset, request, view)

    def _fits(self, request: Request, field: Any) -> bool:
        """A cursor may decode and still name a position that the field it is compared with cannot have."""
        try:
            cursor = self.decode_cursor(request)
            if cursor and cursor.position is not None:
                field.to_python(cursor.position)
                return "\0" not in str(cursor.position)
        except (NotFound, NotOfTheField):
            return False
        return True

"""Pages of lists by keyset: however far down, a page is found by an index and stays put while rows come in.

A view names its sorts in `page_sorts` (what a caller writes → the column, which an index has after the owner and
before the id) and the one by default in `default_sort`; `-` before it turns the order. Rows that are equal in the
column come in the order of their ids. A view that can read the first of some rows faster has a `read_rows`: it
answers them and, where it looked at enough before it found so many, the last row it looked at. From there the next
page goes on.

Invariant: a page has at most 100 entries; a cursor that is not ours is refused, never an error.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError as NotOfTheField
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import F, QuerySet
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

DEFAULT_SIZE = 50
MAX_SIZE = 100


@dataclass(frozen=True, slots=True)
class Sort:
    """By `column`, then by id, both the same way."""

    name: str
    column: str
    descending: bool


@dataclass(frozen=True, slots=True)
class Cursor:
    """The row beside which a page starts: its values, and whether the page lies before it."""

    values: tuple[Any, ...]
    before: bool


class KeysetPagination(BasePagination):
    """`cursor`, `page_size` and, where the view offers sorts, `sort`."""

    template = "rest_framework/pagination/previous_and_next.html"

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self.address = request.build_absolute_uri()
        sort, size = _sort(request, view), _page_size(request)
        columns = list(dict.fromkeys([sort.column, "id"]))
        cursor = _cursor(request, sort, model=queryset.model, columns=columns)
        descending = sort.descending != (cursor is not None and cursor.before)
        rows = _ordered(queryset, columns, descending=descending)
        if cursor is not None:
            rows = _beside(rows, columns, cursor.values, descending=descending)
        read = getattr(view, "read_rows", _read)
        found, looked_to = read(rows, most=size + 1)
        page = list(found[:size])
        backwards = cursor is not None and cursor.before
        # Rows to go on from: this way, where there is more; and back, where we came from.
        further = page[-1] if len(found) > size else looked_to
        back = page[0] if page and cursor is not None else None
        if backwards:
            page.reverse()
        following, preceding = (back, further) if backwards else (further, back)
        self.next = self._link(following, sort, columns, before=False) if following else None
        self.previous = self._link(preceding, sort, columns, before=True) if preceding else None
        return page

    def _link(self, row: Any, sort: Sort, columns: list[str], *, before: bool) -> str:
        place = {"s": _written(sort), "b": before, "v": [getattr(row, column) for column in columns]}
        text = json.dumps(place, cls=DjangoJSONEncoder, separators=(",", ":"))
        return str(replace_query_param(self.address, "cursor", urlsafe_b64encode(text.encode()).decode().rstrip("=")))

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"next": self.next, "previous": self.previous, "results": data})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {
                "next": link | {"description": "The page after this one; null on the last."},
                "previous": link | {"description": "The page before this one; null on the first."},
                "results": schema,
            },
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        parameters = [
            ("cursor", {"type": "string"}, "Where a page starts: taken from `next` or `previous` of another page."),
            (
                "page_size",
                {"type": "integer", "minimum": 1, "maximum": MAX_SIZE, "default": DEFAULT_SIZE},
                "Entries on a page.",
            ),
        ]
        if sorts := getattr(view, "page_sorts", None):
            names = [sign + name for name in sorts for sign in ("", "-")]
            parameters.append(
                ("sort", {"type": "string", "enum": names, "default": view.default_sort}, "With - the other way round.")
            )
        return [
            {"name": name, "in": "query", "required": False, "schema": schema, "description": told}
            for name, schema, told in parameters
        ]

    def to_html(self) -> str:
        from django.template.loader import render_to_string

        return render_to_string(self.template, {"previous_url": self.previous, "next_url": self.next})

    def get_results(self, data: dict[str, Any]) -> Any:
        return data["results"]


def _sort(request: Request, view: Any) -> Sort:
    sorts: dict[str, str] = getattr(view, "page_sorts", {"": "id"})
    default: str = getattr(view, "default_sort", "-")
    asked = request.query_params.get("sort") or default if hasattr(view, "page_sorts") else default
    name = asked.removeprefix("-")
    if name not in sorts:
        told = f"Not a sort of this list. Those are: {', '.join(sorts)}; with - before it the other way round."
        raise ValidationError({"sort": [told]})
    return Sort(name, sorts[name], asked.startswith("-"))


def _page_size(request: Request) -> int:
    asked = request.query_params.get("page_size")
    if asked is None:
        return DEFAULT_SIZE
    # Numbers of any length come in; only one as short as the largest size is worth converting.
    digits = asked.lstrip("0") if asked.isascii() and asked.isdigit() else ""
    if not digits or len(digits) > len(str(MAX_SIZE)) or int(digits) > MAX_SIZE:
        raise ValidationError({"page_size": [f"A page has 1 to {MAX_SIZE} entries."]})
    return int(digits)


def _cursor(request: Request, sort: Sort, *, model: Any, columns: list[str]) -> Cursor | None:
    """What `_link` wrote. A cursor may decode and still name values that the columns cannot have."""
    asked = request.query_params.get("cursor")
    if not asked:
        return None
    try:
        place = json.loads(urlsafe_b64decode(asked + "=" * (-len(asked) % 4)))
        values = [_value(model, column, value) for column, value in zip(columns, place["v"], strict=True)]
        own = place["s"] == _written(sort)
        before = bool(place["b"])
    except (ValueError, TypeError, KeyError, ArithmeticError, RecursionError, NotOfTheField):
        own = False
    if not own:
        raise ValidationError({"cursor": ["Not a cursor of this list; take one from `next` or `previous`."]})
    return Cursor(tuple(values), before)


def _value(model: Any, column: str, given: Any) -> Any:
    field = model._meta.get_field(column)  # noqa: SLF001 - its documented API
    field = getattr(field, "output_field", field)
    value = field.to_python(given)
    text = str(value)
    text.encode()
    if value is None or "\0" in text or (isinstance(value, datetime) and value.tzinfo is None):
        raise ValueError("no value of this column")
    field.run_validators(value)  # digits of a number, range of an integer, length of a text
    return value


def _ordered(queryset: QuerySet[Any], columns: list[str], *, descending: bool) -> QuerySet[Any]:
    return queryset.order_by(*[f"-{column}" if descending else column for column in columns])


def _beside(rows: QuerySet[Any], columns: list[str], values: tuple[Any, ...], *, descending: bool) -> QuerySet[Any]:
    if len(columns) == 1:
        return rows.filter(**{f"{columns[0]}__{'lt' if descending else 'gt'}": values[0]})
    further = TupleLessThan if descending else TupleGreaterThan
    return rows.filter(further(Tuple(*map(F, columns)), values))


def _read(rows: QuerySet[Any], *, most: int) -> tuple[list[Any], None]:
    return list(rows[:most]), None


def _written(sort: Sort) -> str:
    return f"-{sort.name}" if sort.descending else sort.name

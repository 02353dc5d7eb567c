"""What these pages share: lists of bounded cost, by owner or whole id, and actions that call services one by one."""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ChangeList
from django.db.models import Q, QuerySet, prefetch_related_objects
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.events.read_only import ReadOnly
from apps.notifications.admin.shown import trail_of
from apps.tasks.admin.base import CappedPaginator, OwnersFirst, owner_ids
from apps.tasks.admin.filters import OwnerFilter, whole_id

NEWEST = 10_000
MAX_WORDS = 4
MAX_AT_ONCE = 100


class NewestFirst(OwnersFirst):
    """Without an owner or a search, filters look at the newest rows only: no index has them for all at once."""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request, exclude_parameters)
        if any(request.GET.get(name) for name in ("owner", "q")):
            return rows
        oldest = self.root_queryset.order_by("-pk").values_list("pk", flat=True)[NEWEST - 1 : NEWEST]
        return rows.filter(pk__gte=next(iter(oldest), UUID(int=0)))


class ChoiceFilter(admin.SimpleListFilter):
    """By a column with choices; `field` names it."""

    field: ClassVar[str]
    choices_of: ClassVar[Any]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(value, value.replace("_", " ").capitalize()) for value in self.choices_of.values]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**{self.field: self.value()}) if self.value() else queryset


class Looking(ReadOnly):
    """Pages of what people have, for looking."""

    show_facets = admin.ShowFacets.NEVER
    list_filter: ClassVar[Any] = (OwnerFilter,)
    list_max_show_all = 50
    list_select_related: ClassVar[Any] = ()
    paginator = CappedPaginator
    ordering = ("-pk",)
    sortable_by = ()
    search_fields = ("pk",)
    search_help_text = (
        "Searches whole ids and beginnings of owners' names. Without a search or an owner, the newest "
        f"{NEWEST:,} are looked at."
    )
    # Whether events tell of it: of what has none the trail knows nothing.
    has_trail: ClassVar[bool] = False
    change_form_template: ClassVar[Any] = "admin/notifications/without_history.html"
    # Columns that a whole id is looked for in, beside the row's own; each has an index.
    searched_ids: ClassVar[tuple[str, ...]] = ()

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return tuple(str(name) for _, options in self.fieldsets or () for name in options["fields"])

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[ChangeList]:
        return NewestFirst

    def with_all_they_show(self, rows: Iterable[Any]) -> list[Any]:
        rows = list(rows)
        prefetch_related_objects(rows, "owner")
        return rows

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        for word in search_term.split()[:MAX_WORDS]:
            found = Q(owner_id__in=owner_ids(word))
            if (pk := whole_id(word)) is not None:
                for column in ("pk", *self.searched_ids):
                    found |= Q(**{column: pk})
            queryset = queryset.filter(found)
        return queryset, False

    def get_urls(self) -> list[Any]:
        addresses = super().get_urls()
        return addresses if self.has_trail else [one for one in addresses if not str(one.name).endswith("_history")]

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """What happened to a thing stands in the audit trail."""
        return HttpResponseRedirect(trail_of(unquote(object_id)))

    @admin.display(description="audit trail")
    def audit_trail(self, thing: Any) -> SafeString:
        return format_html('<a href="{}">All that happened to it</a>', trail_of(thing.pk))

    def each(
        self, request: HttpRequest, queryset: QuerySet[Any], service: Callable[[Any], int], *, done: str, refused: Any
    ) -> None:
        """Ask the service of each; what it refuses is told, and the others are done all the same."""
        chosen = list(queryset.order_by("pk")[: MAX_AT_ONCE + 1])
        if len(chosen) > MAX_AT_ONCE:
            self.message_user(request, f"At most {MAX_AT_ONCE} at once: nothing was {done}.", messages.ERROR)
            return
        count = 0
        for one in chosen:
            try:
                count += service(one)
            except refused as reason:
                self.message_user(request, f"{one}: {reason}", messages.WARNING)
        self.message_user(request, f"{count} {done}.", messages.SUCCESS if count else messages.WARNING)

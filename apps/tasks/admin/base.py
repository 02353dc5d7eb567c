"""What the admin of tasks, lists and tags shares: refusals told beside their fields, and pages of bounded cost."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import QuerySet, prefetch_related_objects
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from apps.accounts.models import User
from apps.events.errors import EventTooLarge
from apps.tasks.exceptions import InvalidTask, NameTaken, NotFound, ParentDeleted, StatusNeedsVerb, TaskRefused
from apps.tasks.exceptions import StaleVersion as Stale
from apps.tasks.models import Evented

REFUSALS = (TaskRefused, EventTooLarge)
# A word that is the beginning of more usernames than this is taken for a word of a title.
MAX_OWNERS = 50
MAX_COUNTED = 5000


class MoreThan(int):
    """A number that was not counted to its end."""

    def __str__(self) -> str:
        return f"more than {int(self) - 1:,}"


class CappedPaginator(Paginator):
    """Counts so far and no further, so that neither the count nor the last page grows with the table."""

    @cached_property
    def count(self) -> int:
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]
        found = rows.order_by()[: MAX_COUNTED + 1].count()
        return MoreThan(found) if found > MAX_COUNTED else found

    @cached_property
    def num_pages(self) -> int:
        return max(1, -(-min(int(self.count), MAX_COUNTED) // self.per_page))


class EventedForm(forms.ModelForm):
    """Holds what was typed; what may be kept is decided by the services.

    `refusal` is what a service answered to this very form: it is told beside the field it is about.
    """

    seen_version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    # A refusal's name of a field → the form's, where they differ.
    names: ClassVar[Mapping[str, str]] = {}

    def __init__(self, *args: Any, refusal: Exception | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._refusal = refusal
        if "seen_version" in self.fields:
            self.initial["seen_version"] = self.instance.version
        if "position" in self.fields:
            self.fields["position"].required = not self.instance._state.adding  # noqa: SLF001 - its documented API
        if isinstance(refusal, Stale):
            typed: Any = self.data
            self.data = typed.copy()
            self.data[self.add_prefix("seen_version")] = refusal.current.version  # type: ignore[index]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if self._refusal is not None:
            self.add_error(*self._told(self._refusal))
        return cleaned

    def _post_clean(self) -> None:
        """The row is the services' to change."""

    def _told(self, refusal: Exception) -> tuple[str | None, str]:
        if isinstance(refusal, Stale):
            return None, f"{refusal} Save again to write over it what differs here."
        field = _field_of(refusal).partition(".")[0]
        field = self.names.get(field, field)
        return (field if field in self.fields else None), str(refusal)

    @property
    def expected_version(self) -> int | None:
        """The version that whoever typed this had seen."""
        return self.cleaned_data.get("seen_version")

    def changes(self) -> dict[str, Any]:
        """What was typed over, by the names of the services."""
        return {field: self.cleaned_data[field] for field in self.changed_data if field in self.settable}

    settable: ClassVar[frozenset[str]] = frozenset()


class OwnersFirst(ChangeList):
    """A page whose rows may read more, all at once."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        its_admin: Any = self.model_admin
        self.result_list = its_admin.with_all_they_show(self.result_list)


class EventedAdmin(admin.ModelAdmin):
    """Adds, changes and deletes by services. What a service refuses comes back as the form it was asked by."""

    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = CappedPaginator
    list_per_page = 50
    list_max_show_all = 50
    # Related rows are read for the rows of a page: joined, they would all be read to be joined.
    list_select_related: ClassVar[Any] = ()
    shown_with: ClassVar[tuple[str, ...]] = ("owner",)
    autocomplete_fields = ("owner",)
    ordering = ("-id",)
    sortable_by = ()
    facts: ClassVar[tuple[str, ...]] = ("id", "version", "created_at", "updated_at", "audit_trail")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("owner", *self.facts) if obj else ()

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        asked = [*super().get_fieldsets(request, obj)]
        return [*asked, ("Facts", {"fields": self.facts})] if obj else asked

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[ChangeList]:
        return OwnersFirst

    def with_all_they_show(self, rows: Iterable[Any]) -> Iterable[Any]:
        rows = list(rows)
        prefetch_related_objects(rows, *self.shown_with)
        return rows

    def get_actions(self, request: HttpRequest) -> Any:
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)  # it would delete the rows
        return actions

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **options: Any) -> Any:
        made = super().get_form(request, obj, change, **options)
        refusal = getattr(request, "refusal", None)
        if refusal is None:
            return made

        class RefusedForm(made):  # type: ignore[valid-type, misc]
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                super().__init__(*args, refusal=refusal, **kwargs)

        return RefusedForm

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except REFUSALS as reason:
            # The transaction is rolled back; the same form again, knowing why.
            request.refusal = reason  # type: ignore[attr-defined]
            told = str(reason)
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except PermissionDenied:  # it is for looking only by now
            self.message_user(request, told, messages.ERROR)
            return HttpResponseRedirect(request.path)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        try:
            return super().delete_view(request, object_id, extra_context)
        except REFUSALS as reason:
            self.message_user(request, str(reason), messages.ERROR)
            return HttpResponseRedirect(request.path)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """What happened to a thing stands in the audit trail, whoever did it by whatever door."""
        return HttpResponseRedirect(_trail_of(unquote(object_id)))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        saved = self.changed(request, obj, form) if change else self.created(request, form)
        obj.__dict__.update(saved.__dict__)

    def created(self, request: HttpRequest, form: Any) -> Evented:
        raise NotImplementedError

    def changed(self, request: HttpRequest, obj: Any, form: Any) -> Evented:
        raise NotImplementedError

    @admin.display(description="audit trail")
    def audit_trail(self, thing: Evented) -> SafeString:
        return format_html('<a href="{}">All that happened to it</a>', _trail_of(thing.pk))

    @admin.display(description="tasks")
    def its_tasks(self, thing: Any) -> SafeString:
        address = reverse("admin:tasks_task_changelist")
        return format_html('<a href="{}?{}">Its tasks</a>', address, urlencode(self.where_its_tasks_are(thing)))

    def where_its_tasks_are(self, thing: Any) -> dict[str, str]:
        raise NotImplementedError


def acting(request: HttpRequest) -> dict[str, Any]:
    """Who does it, and when: what every service wants to know."""
    return {"actor": request.user, "now": datetime.now(UTC)}


def owner_ids(word: str) -> list[Any]:
    """Whose username begins with a word. The ids themselves: a condition that holds them has an index."""
    return list(User.objects.filter(username__startswith=word).values_list("pk", flat=True)[:MAX_OWNERS])


def _trail_of(thing_id: Any) -> str:
    return f"{reverse('admin:audit_auditrecord_changelist')}?{urlencode({'subject': thing_id})}"


def _field_of(refusal: Exception) -> str:
    match refusal:
        case InvalidTask() | NotFound():
            return refusal.field
        case StatusNeedsVerb():
            return "status"
        case ParentDeleted():
            return "parent"
        case NameTaken():
            return "name"
    return ""

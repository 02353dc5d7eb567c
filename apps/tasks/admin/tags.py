"""Tags in the admin."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from apps.tasks import services, values
from apps.tasks.admin.base import EventedAdmin, EventedForm, acting
from apps.tasks.admin.filters import OwnerFilter, by_words, in_name
from apps.tasks.models import Tag


class TagForm(EventedForm):
    settable = frozenset({"name"})


@admin.register(Tag)
class TagAdmin(EventedAdmin):
    form = TagForm
    list_display = ("name", "owner", "its_tasks", "version", "updated_at")
    list_filter = (OwnerFilter,)
    search_fields = ("name",)
    search_help_text = "Searches names, the beginnings of owners' names, and whole ids."
    fields = ("owner", "name", "seen_version")
    facts = (*EventedAdmin.facts, "its_tasks")
    delete_confirmation_template = "admin/tasks/delete_tag.html"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Tag], search_term: str
    ) -> tuple[QuerySet[Tag], bool]:
        found = by_words(queryset, search_term, lambda word: in_name("folded_name__", values.folded(word)))
        return found, False

    def created(self, request: HttpRequest, form: Any) -> Tag:
        return services.create_tag(owner=form.cleaned_data["owner"], name=form.cleaned_data["name"], **acting(request))

    def changed(self, request: HttpRequest, obj: Tag, form: Any) -> Tag:
        return services.update_tag(
            tag_id=obj.pk, changes=form.changes(), expected_version=form.expected_version, **acting(request)
        )

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        return [str(one) for one in objs], {"tag": len(objs)}, set(), []

    def delete_model(self, request: HttpRequest, obj: Tag) -> None:
        services.delete_tag(tag_id=obj.pk, **acting(request))

    def where_its_tasks_are(self, thing: Tag) -> dict[str, str]:
        return {"tag": thing.name, "owner": thing.owner.username}

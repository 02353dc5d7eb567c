"""The base of admin pages for looking only, of every app: it stands here because every app stands on `events`.

Invariant: nobody adds, changes or deletes there, superusers neither; who may look is Django's `view` permission.
"""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest


class ReadOnly(admin.ModelAdmin):
    """For looking only. What a page has beyond that are actions of its own."""

    # A count of the whole table would cost as much as the table is long.
    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

"""The admin of people: Django's own, with the time zone."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.http import HttpRequest

from apps.accounts.models import User


@admin.register(User)
class UserAdmin(DjangoUserAdmin):
    list_display = ("username", "email", "time_zone", "is_active", "is_staff", "last_login")
    fieldsets = (*DjangoUserAdmin.fieldsets, ("Where they are", {"fields": ("time_zone",)}))  # type: ignore[misc]
    add_fieldsets = (
        *DjangoUserAdmin.add_fieldsets,
        ("Where they are", {"classes": ("wide",), "fields": ("email", "time_zone")}),
    )

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody is deleted: their tasks and the trail refer to them. Take `active` away instead."""
        return False

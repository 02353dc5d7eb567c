"""The admin of people, of what they come in with, and of the attempts that failed.

Invariant: nobody reads a hash here, and nothing is made here that opens a door; what exists can be revoked.
"""

from datetime import UTC, datetime
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.db.models import QuerySet
from django.http import HttpRequest

from apps.accounts import credentials, services
from apps.accounts.forms import AdminChangePasswordForm
from apps.accounts.models import FailedSignIns, PersonalToken, SignIn, User
from apps.events.read_only import ReadOnly


@admin.register(User)
class UserAdmin(DjangoUserAdmin):
    list_display = ("username", "email", "time_zone", "is_active", "is_staff", "last_login", "date_joined")
    list_filter = ("is_active", "is_staff", "is_superuser", "groups", "last_login", "date_joined", "time_zone")
    search_fields = ("=id", "username", "email", "first_name", "last_name")
    search_help_text = "Searches names and e-mail addresses, or by a whole id."
    list_per_page = 50
    change_password_form = AdminChangePasswordForm
    fieldsets = (*DjangoUserAdmin.fieldsets, ("Where they are", {"fields": ("time_zone",)}))  # type: ignore[misc]
    add_fieldsets = (
        *DjangoUserAdmin.add_fieldsets,
        ("Where they are", {"classes": ("wide",), "fields": ("email", "time_zone")}),
    )
    actions = ("end_sign_ins",)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        wanted = obj.time_zone
        if change:
            # Django's form saves the whole row; what others must hear of is left as it is by now, for the service.
            obj.time_zone = services.locked(obj.pk).time_zone
        super().save_model(request, obj, form, change)
        if not change:
            return
        now = datetime.now(UTC)
        if "time_zone" in form.changed_data:
            services.change_time_zone(user_id=obj.pk, actor=request.user, time_zone=wanted, now=now)  # type: ignore[arg-type]
            obj.time_zone = wanted
        if "is_active" in form.changed_data and not obj.is_active:
            services.deactivate(user_id=obj.pk, now=now)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Of who was erased there is nothing to change, and no way back in."""
        erased = isinstance(obj, User) and obj.erased_at is not None
        return not erased and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody is deleted: their tasks and the trail refer to them. Take `active` away instead."""
        return False

    @admin.action(description="End all API sign-ins of selected users", permissions=["change"])
    def end_sign_ins(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        now = datetime.now(UTC)
        ended = sum(credentials.end_sign_ins(user=user, because=SignIn.Ended.BY_ADMIN, now=now) for user in queryset)
        self.message_user(request, f"{ended} sign-ins ended.", messages.SUCCESS)


class LookedAtOnly(ReadOnly):
    """Shows facts; actions may end them, forms may not change them."""

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Who may change people may revoke what they come in with."""
        return request.user.has_perm("accounts.change_user")


@admin.register(PersonalToken)
class PersonalTokenAdmin(LookedAtOnly):
    list_display = ("name", "prefix", "user", "scopes", "created_at", "expires_at", "last_used_at", "revoked_at")
    list_filter = ("expires_at", "last_used_at", "revoked_at")
    search_fields = ("name", "prefix", "user__username")
    search_help_text = "Searches names, beginnings of tokens and usernames."
    list_select_related = ("user",)
    exclude = ("digest",)
    actions = ("revoke",)

    @admin.action(description="Revoke selected tokens", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[PersonalToken]) -> None:
        now = datetime.now(UTC)
        live = list(queryset.filter(revoked_at=None).select_related("user"))
        for token in live:
            credentials.revoke_personal_token(user=token.user, token_id=token.pk, now=now)
        self.message_user(request, f"{len(live)} revoked.", messages.SUCCESS)


@admin.register(SignIn)
class SignInAdmin(LookedAtOnly):
    list_display = ("id", "user", "created_at", "refreshed_at", "expires_at", "ended_at", "ended_because")
    list_filter = ("ended_because", "created_at")
    search_fields = ("=id", "user__username")
    search_help_text = "Searches usernames, or by a whole id."
    list_select_related = ("user",)
    exclude = ("token_id", "password_mark")
    actions = ("end",)

    @admin.action(description="End selected sign-ins", permissions=["revoke"])
    def end(self, request: HttpRequest, queryset: QuerySet[SignIn]) -> None:
        ended = credentials.end_selected(queryset, now=datetime.now(UTC))
        self.message_user(request, f"{ended} ended.", messages.SUCCESS)


@admin.register(FailedSignIns)
class FailedSignInsAdmin(LookedAtOnly):
    list_display = ("username", "address", "failures", "first_failed_at", "held_until", "forgotten_at")
    search_fields = ("username", "address")
    search_help_text = "Searches usernames as they were typed, and addresses."
    ordering = ("-held_until",)
    actions = ("forget",)

    @admin.action(description="Forget selected failures: let them try again now", permissions=["revoke"])
    def forget(self, request: HttpRequest, queryset: QuerySet[FailedSignIns]) -> None:
        gone, _ = queryset.delete()
        self.message_user(request, f"{gone} forgotten.", messages.SUCCESS)

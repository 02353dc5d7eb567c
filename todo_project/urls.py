"""The whole HTTP surface on one page.

Every address answers with and without its trailing slash (`todo_project.middleware.OptionalTrailingSlash`).
"""

from typing import Any

from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.urls import include, path, re_path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import APIRootView, DefaultRouter

from apps.accounts.views import (
    MeView,
    PersonalTokenViewSet,
    RefreshView,
    SignOutView,
    SocketTicketView,
    TokenView,
)
from apps.audit.views import AuditRecordViewSet, TaskHistoryView
from apps.notifications.views import (
    NotificationViewSet,
    PreferencesView,
    PushSubscriptionViewSet,
    PushView,
    ReminderViewSet,
    TaskRemindersView,
    WebhookViewSet,
)
from apps.ops.views import health, live, metrics, ready
from apps.recurrence.views import OccurrencesView, PreviewView, SeriesViewSet, TaskRecurrenceView
from apps.tasks.views import ListViewSet, TagViewSet, TaskViewSet
from apps.tasks.views.base import UUID_PATTERN
from apps.web.account_views import (
    PasswordChangeView,
    PasswordResetConfirmView,
    PasswordResetSentView,
    PasswordResetView,
    SignInView,
    SignUpView,
)
from apps.web.link_views import LinkView
from apps.web.views import ApiDocsView, home


class TodoApi(APIRootView):
    """Tasks and their audit trail. The documentation describes every request: see "Docs" above."""

    name = "Todo API"

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        self.api_root_dict = {
            **(self.api_root_dict or {}),
            "recurrence/preview": "recurrence-preview",
            "notification-preferences": "notification-preferences",
            "me": "me",
        }
        return super().get(request, *args, **kwargs)


router = DefaultRouter()
router.APIRootView = TodoApi
router.include_format_suffixes = False
router.register("tasks", TaskViewSet, basename="task")
router.register("lists", ListViewSet, basename="list")
router.register("tags", TagViewSet, basename="tag")
router.register("series", SeriesViewSet, basename="series")
router.register("reminders", ReminderViewSet, basename="reminder")
router.register("notifications", NotificationViewSet, basename="notification")
router.register("webhooks", WebhookViewSet, basename="webhook")
router.register("push/subscriptions", PushSubscriptionViewSet, basename="push-subscription")
router.register("audit", AuditRecordViewSet, basename="audit")
router.register("tokens", PersonalTokenViewSet, basename="token")

# The browsable API looks for its doors under this name; they are the same doors.
_browsable_api_doors = (
    [
        path("sign-in/", SignInView.as_view(), name="login"),
        path("sign-out/", LogoutView.as_view(), name="logout"),
    ],
    "rest_framework",
)

# Unknown addresses under /admin/ get our answer, and both forms of a known one work.
admin.site.final_catch_all_view = False

urlpatterns = [
    path("", home, name="home"),
    path("sign-in/", SignInView.as_view(), name="sign-in"),
    path("sign-out/", LogoutView.as_view(), name="sign-out"),
    path("", include(_browsable_api_doors)),
    path("sign-up/", SignUpView.as_view(), name="sign-up"),
    path("password/change/", PasswordChangeView.as_view(), name="password-change"),
    path("password/reset/", PasswordResetView.as_view(), name="password-reset"),
    path("password/reset/sent/", PasswordResetSentView.as_view(), name="password-reset-sent"),
    path("password/reset/<uidb64>/<token>/", PasswordResetConfirmView.as_view(), name="password-reset-confirm"),
    # What mails lead to.
    path("links/<str:token>/", LinkView.as_view(), name="link"),
    # One door to change a password: the admin's own page would ask for the old one without the back-off.
    path("admin/password_change/", RedirectView.as_view(pattern_name="password-change")),
    path("admin/", admin.site.urls),
    path("api/v1/auth/token/", TokenView.as_view(), name="auth-token"),
    path("api/v1/auth/refresh/", RefreshView.as_view(), name="auth-refresh"),
    path("api/v1/auth/logout/", SignOutView.as_view(), name="auth-logout"),
    path("api/v1/me/", MeView.as_view(), name="me"),
    path("api/v1/ws-ticket/", SocketTicketView.as_view(), name="ws-ticket"),
    # What happened to a task is the audit trail's to tell.
    re_path(rf"^api/v1/tasks/(?P<task_id>{UUID_PATTERN})/history/$", TaskHistoryView.as_view(), name="task-history"),
    # How it repeats, and what became of each time, is recurrence's.
    re_path(
        rf"^api/v1/tasks/(?P<task_id>{UUID_PATTERN})/recurrence/$",
        TaskRecurrenceView.as_view(
            {"get": "retrieve", "put": "update", "patch": "partial_update", "delete": "destroy"}
        ),
        name="task-recurrence",
    ),
    re_path(
        rf"^api/v1/tasks/(?P<task_id>{UUID_PATTERN})/occurrences/$",
        OccurrencesView.as_view({"get": "list"}),
        name="task-occurrences",
    ),
    # When to be reminded of it is notifications'.
    re_path(
        rf"^api/v1/tasks/(?P<task_id>{UUID_PATTERN})/reminders/$",
        TaskRemindersView.as_view({"get": "retrieve", "post": "create"}),
        name="task-reminders",
    ),
    path(
        "api/v1/recurrence/preview/",
        PreviewView.as_view({"get": "retrieve", "post": "create"}),
        name="recurrence-preview",
    ),
    path(
        "api/v1/notification-preferences/",
        PreferencesView.as_view({"get": "retrieve", "put": "update", "patch": "partial_update"}),
        name="notification-preferences",
    ),
    path("api/v1/push/", PushView.as_view(), name="push"),
    path("api/v1/", include(router.urls)),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", ApiDocsView.as_view(), name="api-docs"),
    path("health/", health, name="health"),
    path("health/live/", live, name="health-live"),
    path("health/ready/", ready, name="health-ready"),
    path("metrics/", metrics, name="metrics"),
]

handler400 = "todo_project.problems.bad_request"
handler403 = "todo_project.problems.permission_denied"
handler404 = "todo_project.problems.page_not_found"
handler500 = "todo_project.problems.server_error"

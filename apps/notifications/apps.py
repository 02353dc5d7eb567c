from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "apps.notifications"

    def ready(self) -> None:
        from apps.notifications import events, publishers, transports  # noqa: F401  what is published, and how

        transports.transports()

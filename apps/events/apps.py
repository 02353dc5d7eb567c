from django.apps import AppConfig


class EventsConfig(AppConfig):
    name = "apps.events"

    def ready(self) -> None:
        from apps.events import rights

        # Retention deletes what is old; a trigger refuses what is young.
        rights.restrict("events_event", to={"SELECT", "INSERT", "DELETE"})
        rights.restrict("django_migrations", to={"SELECT"})

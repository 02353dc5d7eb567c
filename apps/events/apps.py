from django.apps import AppConfig


class EventsConfig(AppConfig):
    name = "apps.events"

    def ready(self) -> None:
        from apps.events import rights

        # Retention deletes what is old, a trigger refuses what is young, and the database alone says how old a row is.
        filled = {"position", "recorded_at", "transaction_id", "erased_at"}
        rights.restrict("events_event", to={"SELECT", "INSERT", "DELETE"}, filled=filled)
        rights.restrict("django_migrations", to={"SELECT"})

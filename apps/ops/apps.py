from django.apps import AppConfig


class OpsConfig(AppConfig):
    name = "apps.ops"

    def ready(self) -> None:
        from apps.events import heartbeat
        from apps.ops import scraping

        heartbeat.at_first_beat(scraping.serve)

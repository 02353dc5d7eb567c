from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "apps.accounts"

    def ready(self) -> None:
        from apps.accounts import (
            publishers,  # noqa: F401  connects signals to events
            schema,  # noqa: F401  tells OpenAPI how to sign in
        )

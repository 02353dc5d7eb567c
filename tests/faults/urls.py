"""Where the tests' PostgreSQL is, and how somebody is led there another way."""

from typing import Any
from urllib.parse import urlsplit

from django.db import connection


def database_url() -> str:
    """The test database's own, not the one the settings were read with."""
    chosen: dict[str, Any] = connection.settings_dict
    return f"postgresql://{chosen['USER']}:{chosen['PASSWORD']}@{chosen['HOST']}:{chosen['PORT']}/{chosen['NAME']}"


def place_of(url: str) -> str:
    """Host and port."""
    return urlsplit(url).netloc.rpartition("@")[2]


def led_to(url: str, address: str) -> str:
    """The same URL at another place."""
    place = urlsplit(url).netloc.rpartition("@")
    return url.replace(f"{place[1]}{place[2]}", f"{place[1]}{address}", 1)

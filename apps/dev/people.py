"""Who lives on the laptop: the people that `seed` makes and the banner names.

The passwords are in the open on purpose: they are made on an empty database of a laptop only, and are worth
nothing anywhere else.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Person:
    username: str
    time_zone: str
    is_admin: bool = False

    @property
    def password(self) -> str:
        return f"{self.username}-example"

    @property
    def email(self) -> str:
        return f"{self.username}@example.org"


ADA = Person("ada", "Europe/London")
GRACE = Person("grace", "America/New_York")
ADMIN = Person("admin", "UTC", is_admin=True)
PEOPLE = (ADA, GRACE, ADMIN)

"""Django's PostgreSQL backend, whose connections also limit how long a transaction may take as a whole.

Statements, waits for locks and idling have limits of their own, but a client that stops in the middle of sending a
statement (frozen, or cut off without a word) is none of the three: PostgreSQL waits for the rest for ever, with all
locks of the transaction. Only `transaction_timeout` ends that. (In the middle of a COPY nothing does: do not use it.)

Invariant: every connection, a pool's too, is given the limit once, when it is opened.
"""

from typing import Any

import psycopg
from django.db.backends.postgresql import base

# Servers before 17 do not know the setting; they are asked and not told, which fails nowhere.
_LIMIT = "SELECT set_config(name, %s, false) FROM pg_settings WHERE name = 'transaction_timeout'"


class DatabaseWrapper(base.DatabaseWrapper):
    """Takes `transaction_timeout` from `OPTIONS`, as PostgreSQL writes times; without it there is no limit."""

    def get_connection_params(self) -> dict[str, Any]:
        parameters: dict[str, Any] = super().get_connection_params()
        parameters.pop("transaction_timeout", None)
        return parameters

    def _configure_connection(self, connection: psycopg.Connection[Any]) -> bool:
        commit: bool = super()._configure_connection(connection)  # type: ignore[misc]  # missing in the stubs
        if limit := self.settings_dict["OPTIONS"].get("transaction_timeout"):
            connection.execute(_LIMIT, [limit])
        return commit or bool(limit)

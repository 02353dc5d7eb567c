"""The variables that lead to a stack: its ports, folders, keys and the addresses of its services.

Invariant: what the surroundings give is taken as it is; a key that is made here is made once for a folder.
"""

import base64
import os
import secrets
from collections.abc import Iterable, Mapping

from apps.dev import ports
from apps.dev.services import Services
from apps.dev.state import StateFolder

# What a throw-away stack takes over from its surroundings: nothing that could lead it to somebody's data.
NEUTRAL = frozenset({"PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "VIRTUAL_ENV", "LD_LIBRARY_PATH"})
# Its callers are measurements and tests, all of them from one address.
UNHURRIED = {"THROTTLE_PERSON_PER_MINUTE": "10000000", "THROTTLE_ADDRESS_PER_MINUTE": "10000000"}
# No file of settings unless one is asked for: the stack's own file may be that of an earlier run.
DEFAULTS = {"ENV_FILE": "", "DJANGO_SETTINGS_MODULE": "todo_project.settings.base"}


def neutral() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name in NEUTRAL}


def leading_to(state: StateFolder, *, port: int, services: Services, given: Mapping[str, str]) -> dict[str, str]:
    """What leads to the stack in this folder, and nothing else of it."""
    return {
        **services.variables,
        **{name: given.get(name) or _secret(state, name.lower()) for name in ("SECRET_KEY", "JWT_SIGNING_KEY")},
        "AUDIT_SIGNING_KEY": given.get("AUDIT_SIGNING_KEY") or _signing_key(state),
        "AUDIT_CHECKPOINTS_URL": given.get("AUDIT_CHECKPOINTS_URL") or state.checkpoints.as_uri(),
        "PORT": str(port),
        "WS_PORT": str(port + 1),
        "PUBLIC_URL": given.get("PUBLIC_URL") or f"http://{ports.LOOPBACK}:{port}",
        "HEARTBEAT_DIR": str(state.heartbeats),
        "KAFKA_ADDRESS_FILE": str(state.kafka_address) if services.keeps_kafka else "",
        "METRICS_DIR": str(state.metrics),
        "METRICS_TOKEN": given.get("METRICS_TOKEN") or _secret(state, "metrics_token"),
        "EMAIL_FOLDER": given.get("EMAIL_FOLDER") or str(state.path / "mail"),
        "STACK_PID": str(os.getpid()),
    }


def _secret(state: StateFolder, name: str) -> str:
    return state.secret(name, make=secrets.token_urlsafe(48))


def _signing_key(state: StateFolder) -> str:
    """Made once; whoever loses it cannot go on from the checkpoints that it signed."""
    return state.secret("audit_signing_key", make=base64.b64encode(secrets.token_bytes(32)).decode())


def metrics_ports(roles: Iterable[str], *, port: int) -> dict[str, int]:
    """One for each role but web, which answers on its own: those after the sockets' where they are free."""
    wanted = {name: port + 2 + place for place, name in enumerate(name for name in roles if name != "web")}
    return {name: port if port < 65_536 and ports.is_free(port) else ports.free_port() for name, port in wanted.items()}


def of_metrics_ports(metrics: Mapping[str, int]) -> dict[str, str]:
    """Where a scraper in a terminal beside finds each role."""
    return {f"METRICS_PORT_OF_{name.upper().replace('-', '_')}": str(port) for name, port in metrics.items()}

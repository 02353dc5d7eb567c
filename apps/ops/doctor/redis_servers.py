"""The two Redis (or Valkey) databases: jobs must not be evicted, sockets may."""

from typing import Any

from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, RedisError, ResponseError
from redis.retry import Retry

from apps.ops.doctor.examination import Verdict, warning, worst_of, wrong

TIMEOUT_SECONDS = 2
OLDEST_VERSION = (6, 2)
_SAFE_POLICY = "noeviction"


def jobs() -> Verdict:
    return _asked(settings.CELERY_BROKER_URL, variable="REDIS_URL", keeps_jobs=True)


def sockets() -> Verdict:
    channels: Any = settings.CHANNEL_LAYERS["default"]["CONFIG"]
    return _asked(channels["hosts"][0], variable="CHANNEL_REDIS_URL", keeps_jobs=False)


def _asked(url: str, *, variable: str, keeps_jobs: bool) -> Verdict:
    client = Redis.from_url(
        url, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS, retry=Retry(NoBackoff(), 0)
    )
    with client:
        try:
            told: dict[str, Any] = client.info()
        except AuthenticationError:
            return wrong("refuses our password", fix=f"Correct the user and password in {variable}.")
        except RedisError as reason:
            return wrong(str(reason), fix=f"Start it (`make run` on a laptop), or correct {variable}.")
        policy = _policy(client, told) if keeps_jobs else _SAFE_POLICY
    return verdict_on(told, policy=policy, keeps_jobs=keeps_jobs)


def _policy(client: "Redis", told: dict[str, Any]) -> str | None:
    """`None` where it may not be asked, as managed services like to have it."""
    if "maxmemory_policy" in told:
        return str(told["maxmemory_policy"])
    try:
        return str(client.config_get("maxmemory-policy").get("maxmemory-policy"))
    except ResponseError:
        return None


def verdict_on(told: dict[str, Any], *, policy: str | None, keeps_jobs: bool) -> Verdict:
    """What the answer to INFO means, with the policy of what to evict."""
    name = f"{'Valkey' if 'valkey_version' in told else 'Redis'} {told.get('valkey_version', told['redis_version'])}"
    keeps = bool(told.get("aof_enabled")) or told.get("rdb_last_save_time", 0) > told.get("rdb_saves", 0) > 0
    found = []
    if tuple(int(part) for part in str(told["redis_version"]).split(".")[:2]) < OLDEST_VERSION:
        found.append(wrong(name, fix="Use Redis 6.2 or later, or Valkey."))
    if keeps_jobs and policy is None:
        found.append(
            warning("its maxmemory-policy cannot be asked", fix="See that it is noeviction where Redis is configured.")
        )
    elif policy != _SAFE_POLICY:
        found.append(wrong(f"maxmemory-policy {policy} drops jobs", fix="Set maxmemory-policy noeviction."))
    if keeps_jobs and not keeps:
        found.append(warning("keeps nothing over a restart: sweeps ring again, later", fix="Set appendonly yes."))
    told_well = f"{name}, {policy}, {'keeps what it holds' if keeps else 'keeps nothing'}" if keeps_jobs else name
    return worst_of(found, otherwise=told_well)

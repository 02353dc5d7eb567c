"""Every setting of the project, for every role and every place it runs.

Nothing exists only in production: what differs between places is read through `todo_project.env`, with
defaults that are safe on a laptop. `.env.example` lists every variable.
"""

import logging
import secrets
import sys
import warnings
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from kombu import Exchange, Queue

from todo_project import env, groups, kafka
from todo_project.databases import OWNER_LIMITS, connection_settings
from todo_project.logs import logging_config

BASE_DIR = Path(__file__).resolve().parent.parent.parent

# --- Where the project runs -------------------------------------------------------------------------

# The address people type. https here switches on every cookie and transport protection below.
PUBLIC_URL = env.text("PUBLIC_URL", "http://127.0.0.1:8000")
_public = urlsplit(PUBLIC_URL)
SERVED_SECURELY = _public.scheme == "https"

DEBUG = env.boolean("DEBUG", False)
SECRET_KEY = env.text("SECRET_KEY")
SECRET_KEY_FALLBACKS = env.words("SECRET_KEY_FALLBACKS")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", f"{_public.hostname},localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS", f"{_public.scheme}://{_public.netloc}")

# What runs here, as its builder names it: a tag or a commit.
RELEASE = env.text("RELEASE", "development")

# --- What it is made of -----------------------------------------------------------------------------

INSTALLED_APPS = [
    # First, so that its templates dress the admin and the browsable API.
    "apps.web",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "channels",
    "django_celery_beat",
    "django_structlog",
    "apps.events",
    "apps.accounts",
    "apps.tasks",
    "apps.audit",
    "apps.recurrence",
    "apps.notifications",
    "apps.ops",
]
EMBEDDED_STACK = env.boolean("EMBEDDED_STACK", True)
if EMBEDDED_STACK:
    # The laptop's room: the embedded services, the supervisor, the tour and the seed.
    INSTALLED_APPS.append("apps.dev")

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    # Outside of all that can refuse, so that refusals too carry the correlation id and leave a line.
    "todo_project.middleware.Correlation",
    "apps.ops.middleware.CountRequests",
    "django_structlog.middlewares.RequestMiddleware",
    "todo_project.middleware.ContentSecurityPolicy",
    "todo_project.middleware.RequestLimits",
    "todo_project.charsets.OnlyUTF8",
    "todo_project.middleware.OptionalTrailingSlash",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "todo_project.middleware.HeldBackSignIns",
]
ROOT_URLCONF = "todo_project.urls"
WSGI_APPLICATION = "todo_project.wsgi.application"
ASGI_APPLICATION = "todo_project.asgi.application"
APPEND_SLASH = False  # OptionalTrailingSlash answers both forms, POST too
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

# The name a process gives itself in its log lines and its heartbeat.
ROLE = env.text("ROLE", "shell")

# --- PostgreSQL: owns the work ----------------------------------------------------------------------

DATABASE_URL = env.text("DATABASE_URL")
# Past any transaction pool: the relay's advisory lock needs a session of its own.
DATABASE_DIRECT_URL = env.text("DATABASE_DIRECT_URL", DATABASE_URL)
# The owner of the tables, for `manage.py prepare`. What serves goes by DATABASE_URL, as a role that owns nothing.
DATABASE_OWNER_URL = env.text("DATABASE_OWNER_URL", DATABASE_DIRECT_URL)
# The pool is for the threads of the web server; it does not survive the forks of a Celery worker.
DATABASES = {
    "default": connection_settings(
        DATABASE_URL,
        pool_size=env.integer("DATABASE_POOL_SIZE", 0),
        prepare=env.boolean("DATABASE_PREPARE_STATEMENTS", True),
        in_batches=ROLE.startswith(("relay", "worker")),
    )
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Kafka: the log ---------------------------------------------------------------------------------

# `kafka`, or `memory` for tests inside one process.
EVENT_BROKER = env.text("EVENT_BROKER", "kafka")
KAFKA = kafka.connection_settings()
# Before the names of topics and groups on the cluster, so that several installations may share one.
KAFKA_PREFIX = env.text("KAFKA_PREFIX", "")
KAFKA_GROUP_PROTOCOL = kafka.group_protocol()
# An embedded Kafka has a new address after each start; this file has the one of now, for who lives longer than it.
KAFKA_ADDRESS_FILE = env.text("KAFKA_ADDRESS_FILE", "")
KAFKA_PARTITIONS = env.integer("KAFKA_PARTITIONS", 4)
KAFKA_REPLICATION_FACTOR = env.integer("KAFKA_REPLICATION_FACTOR", 1)

# --- The event core ---------------------------------------------------------------------------------

# Kafka < HandledEvent <= Event: what a group may be asked to handle again, it still recognises.
KAFKA_RETENTION_DAYS = 7
HANDLED_EVENT_RETENTION_DAYS = 14
EVENT_RETENTION_DAYS = 90
# Snapshots are for screens: no longer than a group could be fed one.
SNAPSHOT_RETENTION_DAYS = HANDLED_EVENT_RETENTION_DAYS
EVENT_SOURCE = env.text("EVENT_SOURCE", "/todo")
EVENT_MAX_BYTES = 256 * 1024
RELAY_BATCH_SIZE = 1000
RELAY_POLL_SECONDS = 0.03
CONSUMER_BATCH_SIZE = 500
# So many events parked without one success between them: the fault is ours, not theirs. The group stops.
MAX_PARKED_IN_A_ROW = 50
# Loops touch a file named after their role in this folder; probes and the supervisor read its age.
HEARTBEAT_DIR = env.text("HEARTBEAT_DIR", "")
# And tell PostgreSQL, so that every role of a cluster is seen from anywhere.
HEARTBEAT_ROWS = True

# --- The audit trail: signed checkpoints, kept outside the database -----------------------------------

# Base64 of 32 bytes, for Ed25519. `make run` makes one and keeps it; on a server the checks ask for it.
AUDIT_SIGNING_KEY = env.text("AUDIT_SIGNING_KEY", "")
# Public keys of keys that signed before, and of the present one where only verifying is done.
AUDIT_VERIFYING_KEYS = env.words("AUDIT_VERIFYING_KEYS")
# file:///folder, s3://bucket/prefix, gs://bucket/prefix or az://account/container/prefix.
AUDIT_CHECKPOINTS_URL = env.text(
    "AUDIT_CHECKPOINTS_URL", (BASE_DIR / ".dev" / "checkpoints").as_uri() if EMBEDDED_STACK else ""
)
# For S3 and what is compatible with it; without them the library looks where the cloud's own tools do.
AUDIT_CHECKPOINTS_OPTIONS = {
    "endpoint": env.text("AUDIT_CHECKPOINTS_ENDPOINT", ""),
    "region": env.text("AUDIT_CHECKPOINTS_REGION", ""),
    "access_key_id": env.text("AUDIT_CHECKPOINTS_ACCESS_KEY_ID", ""),
    "secret_access_key": env.text("AUDIT_CHECKPOINTS_SECRET_ACCESS_KEY", ""),
}

# --- Metrics: GET /metrics on every role ------------------------------------------------------------

# What a scraper sends as `Authorization: Bearer`. Without one the web answers staff only, the other roles nobody.
METRICS_TOKEN = env.text("METRICS_TOKEN", "")
# Where the roles other than web answer; 0 opens no port. The web answers on its own.
METRICS_PORT = env.integer("METRICS_PORT", 0)
# A folder with room for the figures of a role's processes, which are then summed; without one a process tells its own.
METRICS_DIR = env.text("METRICS_DIR", "")

# --- Celery on Redis: doorbells ---------------------------------------------------------------------

# One worker deployment per consumer group: its Kafka consumer and its job queue together.
CONSUMER_GROUPS = list(groups.CONSUMER_GROUPS)

CELERY_BROKER_URL = env.text("REDIS_URL", "redis://127.0.0.1:6379/0")
CELERY_TASK_QUEUES = [Queue(group, Exchange(group), routing_key=group) for group in CONSUMER_GROUPS]
CELERY_TASK_DEFAULT_QUEUE = CONSUMER_GROUPS[0]
CELERY_TASK_CREATE_MISSING_QUEUES = False
CELERY_TASK_IGNORE_RESULT = True
CELERY_RESULT_EXPIRES = None  # no results, so no clean-up of results among the schedules
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = False
CELERY_TASK_TIME_LIMIT = 60
CELERY_TASK_SOFT_TIME_LIMIT = 50
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 300,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    # A connection whose other end is gone without a word is found out after so long, one after another; a worker's
    # own wait for jobs after twice the interval. A queue's jobs run again within a minute, and beat goes on beating.
    "socket_timeout": 10,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 10,
    "retry_on_timeout": False,
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_POOL_ACQUIRE_TIMEOUT = 5
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_MAX_TASKS_PER_CHILD = 1000
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 300_000
CELERY_WORKER_ETA_TASK_LIMIT = 1000
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 25  # after SIGQUIT; after SIGTERM it is `leaving.LEAVE_SECONDS`, the same
CELERY_WORKER_ENABLE_SOFT_SHUTDOWN_ON_IDLE = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# Processes for the jobs of a group. Of notifications one may be sending for long, and reminders need another.
WORKER_CONCURRENCY = env.integer("WORKER_CONCURRENCY", 1)
WORKER_CONCURRENCY_NOTIFICATIONS = env.integer("WORKER_CONCURRENCY_NOTIFICATIONS", 2)
CELERY_WORKER_CONCURRENCY = WORKER_CONCURRENCY_NOTIFICATIONS if ROLE == "worker-notifications" else WORKER_CONCURRENCY
CELERY_BEAT_SCHEDULER = "apps.events.beat:Scheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 5
CELERY_BEAT_CRON_STARTING_DEADLINE = 1800
CELERY_BEAT_SYNC_EVERY = 1
CELERY_TIMEZONE = "UTC"
DJANGO_CELERY_BEAT_TZ_AWARE = True

# --- Channels: live updates -------------------------------------------------------------------------

# Another instance or database than Celery's: losing it costs latency only.
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [env.text("CHANNEL_REDIS_URL", "redis://127.0.0.1:6379/1")]},
    }
}

# --- The roles of one image: `make run` starts them all, a cluster one deployment each ---------------

PORT = env.integer("PORT", 8000)
WS_PORT = env.integer("WS_PORT", PORT + 1)
BIND_HOST = env.text("BIND_HOST", "127.0.0.1")
# Threads of one web process. They share one interpreter: more of them only pass it around.
WEB_THREADS = env.integer("WEB_THREADS", 4)
_PYTHON = sys.executable
_SERVER_LOGS = str(BASE_DIR / "todo_project" / "server_logs.json")
ROLES: dict[str, list[str]] = {
    "web": [
        *(_PYTHON, "-m", "granian", "--interface", "rsgi", "todo_project.rsgi:application"),
        *("--host", BIND_HOST, "--port", str(PORT), "--http", "1", "--no-ws", "--respawn-failed-workers"),
        *("--workers", env.text("WEB_WORKERS", "2"), "--workers-kill-timeout", "20", "--log-config", _SERVER_LOGS),
    ],
    "ws": [
        *(_PYTHON, "-m", "todo_project.socket_server", "todo_project.asgi:application"),
        *("--ws", "wsproto", "--no-access-log", "--host", BIND_HOST, "--port", str(WS_PORT)),
        *("--timeout-graceful-shutdown", "20", "--lifespan", "on", "--log-config", _SERVER_LOGS),
    ],
    "relay": [_PYTHON, "manage.py", "relay_outbox"],
    **{
        f"worker-{group}": [
            *(_PYTHON, "-m", "celery", "--quiet", "-A", "todo_project"),
            *("worker", "--consume", group, "-Q", group),
            *("--without-gossip", "--without-mingle", "-n", f"{group}@%h", "--loglevel", "INFO"),
        ]
        for group in CONSUMER_GROUPS
    },
    "beat": [
        *(_PYTHON, "-m", "celery", "--quiet", "-A", "todo_project"),
        *("beat", "--loglevel", "INFO", "--pidfile="),
    ],
}
if DATABASE_OWNER_URL != DATABASE_URL and ROLE not in ROLES:
    # What serves has no such connection, even where the variable is set.
    DATABASES["owner"] = connection_settings(DATABASE_OWNER_URL, limits=OWNER_LIMITS)

# --- People -----------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["apps.accounts.backends.PasswordBackend"]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "sign-in"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_AGE = 14 * 24 * 3600
# Two checkouts side by side are two ports of one host, and browsers do not tell cookies apart by port.
SESSION_COOKIE_NAME = f"todo_session_{PORT}"
CSRF_COOKIE_NAME = f"todo_csrf_{PORT}"

SIGN_UP_OPEN = env.boolean("SIGN_UP_OPEN", EMBEDDED_STACK)
PASSWORD_RESET_TIMEOUT = 3600

# How many proxies of ours stand before the web, each adding to X-Forwarded-For; 0 believes no header.
TRUSTED_PROXIES = env.integer("TRUSTED_PROXIES", 0)
THROTTLE_PERSON_PER_MINUTE = env.integer("THROTTLE_PERSON_PER_MINUTE", 3000)
THROTTLE_ADDRESS_PER_MINUTE = env.integer("THROTTLE_ADDRESS_PER_MINUTE", 120)

# `make run` gives all processes one key. A command typed beside it signs nothing: a key of its own is safe there.
JWT_SIGNING_KEY = env.text("JWT_SIGNING_KEY", secrets.token_urlsafe(48) if EMBEDDED_STACK else None)
REFRESH_TOKEN_LIFETIME = timedelta(days=14)
SIMPLE_JWT = {
    "ALGORITHM": "HS256",
    "SIGNING_KEY": JWT_SIGNING_KEY,
    "ISSUER": PUBLIC_URL,
    "AUDIENCE": f"{PUBLIC_URL}/api/",
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=10),
    "REFRESH_TOKEN_LIFETIME": REFRESH_TOKEN_LIFETIME,
    "USER_ID_CLAIM": "sub",
}

# Without a server, mails are files in a folder.
EMAIL_HOST = env.text("EMAIL_HOST", "")
EMAIL_PORT = env.integer("EMAIL_PORT", 587)
EMAIL_HOST_USER = env.text("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = env.text("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = env.boolean("EMAIL_USE_TLS", True)
EMAIL_TIMEOUT = 10
EMAIL_FILE_PATH = env.text("EMAIL_FOLDER", str(BASE_DIR / ".dev" / "mail"))
EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend" if EMAIL_HOST else "apps.accounts.filebased.EmailBackend"
DEFAULT_FROM_EMAIL = env.text("EMAIL_FROM", f"Todo <todo@{_public.hostname}>")

# --- Reminders and notifications ----------------------------------------------------------------------

# Fernet keys that seal what must be read again, such as secrets of webhooks: the first seals, all open. Where there is
# none, one is derived from SECRET_KEY.
SEALING_KEYS = env.words("SEALING_KEYS")
# Networks beside the public internet that webhooks may reach.
WEBHOOK_ALLOWED_NETWORKS = env.words("WEBHOOK_ALLOWED_NETWORKS")
# Ports of the public internet that they may reach.
WEBHOOK_PORTS = [443, 8443]
# One that fails is switched off when it has failed for so long, and often enough.
WEBHOOK_FAILING_DAYS = 5
# Whom a push service writes to about us (RFC 8292).
VAPID_SUBJECT = env.text("VAPID_SUBJECT", f"mailto:todo@{_public.hostname}")
# The sweep for what is due; ETA jobs are punctual in between.
REMINDERS_SWEEP_SECONDS = 5
# How long a first failure waits; each further one twice as long, and never longer than an hour.
DELIVERY_BACKOFF_SECONDS = env.integer("DELIVERY_BACKOFF_SECONDS", 5)
# What comes within so many seconds after something went out to the same destination goes out together.
DELIVERY_BATCH_SECONDS = 60
# What was sent and answered is kept so long; notifications that were read or done, and what went out, so long.
DELIVERY_CONTENT_RETENTION_DAYS = 30
NOTIFICATION_RETENTION_DAYS = 180

# --- REST -------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    # The first one answers for all: who is not known gets 401 and `WWW-Authenticate: Bearer`.
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "apps.accounts.authentication.BearerAuthentication",
        "apps.accounts.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_THROTTLE_CLASSES": ["todo_project.throttles.PersonRate", "todo_project.throttles.AddressRate"],
    "DEFAULT_RENDERER_CLASSES": [
        "rest_framework.renderers.JSONRenderer",
        "todo_project.browsable.BrowsableAPI",
    ],
    "DEFAULT_PARSER_CLASSES": [
        "todo_project.parsers.JSONObjectParser",
        "rest_framework.parsers.FormParser",
        "rest_framework.parsers.MultiPartParser",
    ],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "todo_project.pagination.KeysetPagination",
    "DEFAULT_SCHEMA_CLASS": "todo_project.openapi.NamedByVerb",
    "EXCEPTION_HANDLER": "todo_project.problems.exception_handler",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Todo platform",
    # Several things have a status, or a kind.
    "ENUM_NAME_OVERRIDES": {
        "NotificationKindEnum": "apps.notifications.kinds.Kind",
        "NotificationStatusEnum": "apps.notifications.models.Notification.Status",
        "DeliveryKindEnum": "apps.notifications.models.Delivery.Kinds",
        "DeliveryStatusEnum": "apps.notifications.models.Delivery.Status",
        "WebhookStatusEnum": "apps.notifications.models.WebhookEndpoint.Status",
    },
    "DESCRIPTION": "Tasks that are right: every change is an event that is never lost and can be proved.",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "SERVERS": [{"url": "/", "description": "Here"}],
    # Forms are read too, from the browsable API; programs send JSON.
    "PARSER_WHITELIST": ["todo_project.parsers.JSONObjectParser"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "todo_project.openapi.complete",
    ],
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
# From the first byte of a request's body to the last.
REQUEST_BODY_SECONDS = env.integer("REQUEST_BODY_SECONDS", 20)

# --- Language, time, files --------------------------------------------------------------------------

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
# Instants with their seconds: in this product the order of events is what people look for.
FORMAT_MODULE_PATH = ["todo_project.formats"]
STATIC_URL = "static/"
STATIC_ROOT = Path(env.text("STATIC_ROOT", str(BASE_DIR / "staticfiles")))
# A laptop serves files from the apps; an image collects them once, compressed and with hashed names.
WHITENOISE_USE_FINDERS = not STATIC_ROOT.is_dir()
warnings.filterwarnings("ignore", message="No directory at: ")  # WhiteNoise's, about that very case
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if WHITENOISE_USE_FINDERS
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# --- Security ---------------------------------------------------------------------------------------

SESSION_COOKIE_SECURE = SERVED_SECURELY
CSRF_COOKIE_SECURE = SERVED_SECURELY
SESSION_COOKIE_HTTPONLY = True
SECURE_SSL_REDIRECT = SERVED_SECURELY and env.boolean("SECURE_SSL_REDIRECT", True)
# Probes and scrapers ask over plain HTTP from inside the cluster.
SECURE_REDIRECT_EXEMPT = [r"^health/", r"^metrics/?$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if SERVED_SECURELY else None
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if SERVED_SECURELY else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SERVED_SECURELY
SECURE_HSTS_PRELOAD = SERVED_SECURELY
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "todo_project.problems.csrf_failure"

# --- Logs -------------------------------------------------------------------------------------------

LOGGING_CONFIG = None  # todo_project.logs configures logging itself, below
LOG_LEVEL = env.text("LOG_LEVEL", "INFO")
LOG_FORMAT = env.text("LOG_FORMAT", "auto")  # json, console, or auto: console when a person watches
logging_config(role=ROLE, level=LOG_LEVEL, format=LOG_FORMAT)
DJANGO_STRUCTLOG_CELERY_ENABLED = False
DJANGO_STRUCTLOG_COMMAND_LOGGING_ENABLED = False
# One line a request, at its end; todo_project.logs adds who asked without asking the database for it.
DJANGO_STRUCTLOG_STATUS_START_LOG_LEVEL = logging.DEBUG
DJANGO_STRUCTLOG_STATUS_4XX_LOG_LEVEL = logging.INFO
DJANGO_STRUCTLOG_USER_ID_FIELD = ""
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False

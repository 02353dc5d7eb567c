"""The settings of the tests: the real ones, with what would only cost time made cheap."""

from todo_project.settings.base import *  # noqa: F403

PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.MD5PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
# One process, one outcome of `collectstatic`: none.
WHITENOISE_AUTOREFRESH = True
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# The tests ask as fast as they can; those of the throttles set rates of their own.
THROTTLE_PERSON_PER_MINUTE = 1_000_000
THROTTLE_ADDRESS_PER_MINUTE = 1_000_000
# Loops run inside the tests' process; a thread of theirs would hold the database beyond a test's end.
HEARTBEAT_ROWS = False
# Nothing of the tests is signed for, or found among, the checkpoints of the laptop; some name a folder of their own.
AUDIT_SIGNING_KEY = ""
AUDIT_CHECKPOINTS_URL = ""
# A test's transaction waits for the test, on a machine that may have much else to do.
DATABASES["default"]["OPTIONS"]["transaction_timeout"] = "10min"  # noqa: F405
DATABASES["default"]["OPTIONS"]["options"] += " -c idle_in_transaction_session_timeout=10min"  # noqa: F405

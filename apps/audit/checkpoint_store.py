"""Where checkpoints are kept: a folder, or a bucket of an object store; objects by number, created once.

Invariant: an object is never replaced. Two writers cannot both take a number: the second is refused by the store.
Names are zero-padded numbers in folders of a thousand, so that the newest is found by two lists however many there are.
"""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import obstore
from django.conf import settings
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import ObjectStore, from_url

from apps.events.errors import CouldNotLook

PER_FOLDER = 1000
_FOLDER = re.compile(r"[0-9]{9}")
_NAME = re.compile(r"[0-9]{9}/([0-9]{12})\.json")
# A job has less than a minute for all it does; the next one tries again.
_CLIENT = {"connect_timeout": "3s", "timeout": "8s"}
_RETRIES = {"max_retries": 1}
_READERS = 8
# Who stops reading early has so many in vain.
_READ_AHEAD = 64


class CheckpointsAway(CouldNotLook):
    """The store does not answer, does not let us in, or is not there; the text says why."""


class NumberTaken(Exception):
    """Another writer has created the object of this number."""


def name_of(number: int) -> str:
    return f"{number // PER_FOLDER:09d}/{number:012d}.json"


class CheckpointStore:
    """The objects of one place. Every method raises `CheckpointsAway`."""

    def __init__(self, url: str, **options: str) -> None:
        self.url = url
        parts = urlsplit(url)
        self._folder = Path(unquote(parts.path)) if parts.scheme == "file" else None
        self._refuse_missing_folder()
        try:
            self._store = _opened(url, **options)
        except (BaseError, ValueError, OSError) as reason:
            raise CheckpointsAway(_told(url, reason)) from reason

    def create(self, number: int, content: bytes) -> None:
        """Keep an object under a number that is free. Raises `NumberTaken`."""
        self._refuse_missing_folder()
        try:
            obstore.put(self._store, name_of(number), content, mode="create", use_multipart=False)
        except AlreadyExistsError:
            raise NumberTaken(name_of(number)) from None
        except (BaseError, OSError) as reason:
            raise CheckpointsAway(_told(self.url, reason)) from reason

    def read(self, number: int) -> bytes | None:
        """The bytes of an object; `None` when there is none."""
        self._refuse_missing_folder()
        try:
            return bytes(obstore.get(self._store, name_of(number)).bytes())
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as reason:
            raise CheckpointsAway(_told(self.url, reason)) from reason

    def newest_number(self) -> int:
        """The highest number there is; 0 when there is none."""
        self._refuse_missing_folder()
        try:
            # A folder may hold nothing but what is not ours.
            for folder in sorted(filter(_FOLDER.fullmatch, self._folders()), reverse=True):
                if numbers := self._numbers_in(folder):
                    return max(numbers)
        except (BaseError, OSError) as reason:
            raise CheckpointsAway(_told(self.url, reason)) from reason
        return 0

    def read_many(self, first: int, last: int) -> Iterator[tuple[int, bytes | None]]:
        """Objects by their numbers, in order, several asked for at once; `None` for each that is missing."""
        with ThreadPoolExecutor(max_workers=_READERS, thread_name_prefix="checkpoints") as readers:
            for start in range(first, last + 1, _READ_AHEAD):
                numbers = range(start, min(start + _READ_AHEAD, last + 1))
                yield from zip(numbers, readers.map(self.read, numbers), strict=True)

    def _folders(self) -> list[str]:
        return [prefix.strip("/") for prefix in obstore.list_with_delimiter(self._store)["common_prefixes"]]

    def _numbers_in(self, folder: str) -> list[int]:
        objects = obstore.list_with_delimiter(self._store, prefix=folder)["objects"]
        numbers = [int(found[1]) for each in objects if (found := _NAME.fullmatch(each["path"]))]
        return [number for number in numbers if name_of(number).startswith(f"{folder}/")]

    def _refuse_missing_folder(self) -> None:
        # An empty one begins at number 1; a volume that is not mounted must not.
        if self._folder is not None and not self._folder.is_dir():
            raise CheckpointsAway(f"{self.url}: there is no such folder.")


def _opened(url: str, **options: str) -> ObjectStore:
    if url.startswith("file:"):
        return from_url(url)
    client: Any = {**_CLIENT, "allow_http": options.get("endpoint", "").startswith("http://")}
    config: Any = {name: value for name, value in options.items() if value}
    retries: Any = _RETRIES
    return from_url(url, config=config or None, client_options=client, retry_config=retries)


def _told(url: str, reason: Exception) -> str:
    # The library adds the structure of its own error below the sentence.
    return f"{url}: {str(reason).splitlines()[0] if str(reason) else type(reason).__name__}"


@cache
def _store_at(url: str, endpoint: str, region: str, access_key_id: str, secret_access_key: str) -> CheckpointStore:
    return CheckpointStore(
        url,
        endpoint=endpoint,
        region=region,
        access_key_id=access_key_id,
        secret_access_key=secret_access_key,
    )


def configured_store() -> CheckpointStore:
    """The store that `AUDIT_CHECKPOINTS_URL` names. Raises `CheckpointsAway`, also when none is named."""
    if not settings.AUDIT_CHECKPOINTS_URL:
        raise CheckpointsAway("AUDIT_CHECKPOINTS_URL is not set.")
    return _store_at(settings.AUDIT_CHECKPOINTS_URL, **settings.AUDIT_CHECKPOINTS_OPTIONS)

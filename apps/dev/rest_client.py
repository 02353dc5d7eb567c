"""A person at the REST API: signs in as a browser does and keeps the session. Standard library only."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookiejar import CookieJar
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, Request, build_opener

_TIMEOUT_SECONDS = 10


class RequestFailed(Exception):
    """The server could not be reached; the text says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    text: str

    @property
    def content(self) -> Any:
        """The decoded JSON, `None` for an empty answer."""
        return json.loads(self.text) if self.text else None


class RestClient:
    """Speaks to one server, on behalf of one person. `csrf_cookie` is the name of the server's cookie."""

    def __init__(self, url: str, *, csrf_cookie: str) -> None:
        self._url = url.rstrip("/")
        self._csrf_cookie = csrf_cookie
        self._cookies = CookieJar()
        self._opener: OpenerDirector = build_opener(HTTPCookieProcessor(self._cookies))

    @property
    def _csrf_token(self) -> str:
        return next((str(each.value) for each in self._cookies if each.name == self._csrf_cookie), "")

    def sign_in(self, *, username: str, password: str) -> bool:
        """Whether the server accepted the password. Raises `RequestFailed`."""
        self._send("GET", "/sign-in/", data=None, headers={})
        before = self._csrf_token
        form = {"username": username, "password": password, "csrfmiddlewaretoken": before}
        self._send("POST", "/sign-in/", data=urlencode(form).encode(), headers={})
        # Django gives a new token with the new session, and only then.
        return bool(before) and self._csrf_token != before

    def request(self, method: str, path: str, content: Mapping[str, Any] | None = None) -> Answer:
        """One request with JSON. Raises `RequestFailed`; a refusal by the server is an answer."""
        data = None if content is None else json.dumps(content).encode()
        headers = {"Accept": "application/json", "X-CSRFToken": self._csrf_token}
        if data is not None:
            headers["Content-Type"] = "application/json"
        return self._send(method, path, data=data, headers=headers)

    def _send(self, method: str, path: str, *, data: bytes | None, headers: Mapping[str, str]) -> Answer:
        request = Request(  # noqa: S310 - the address is our own PUBLIC_URL
            self._url + path, data=data, method=method, headers={"Referer": self._url + "/", **headers}
        )
        try:
            with self._opener.open(request, timeout=_TIMEOUT_SECONDS) as response:
                return Answer(response.status, response.read().decode())
        except HTTPError as refusal:
            with refusal:
                return Answer(refusal.code, refusal.read().decode(errors="replace"))
        except (URLError, OSError) as reason:
            raise RequestFailed(f"{method} {self._url}{path}: {reason}") from reason

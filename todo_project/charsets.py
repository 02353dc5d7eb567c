"""In which encoding a request may say its text is written.

Invariant: no text a view sees holds half a character (a lone surrogate), which neither PostgreSQL nor an answer
can carry. UTF-8 has none; UTF-7 and Python's escapes, which Django would decode by for whoever names them, have.
"""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

from todo_project import problems

_UTF_8_AND_ITS_SUBSET = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})


class OnlyUTF8:
    """Refuses a request that names another encoding; it decides how the query of the address is read, too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        charset = (request.content_params or {}).get("charset", "utf-8")
        if charset.lower() not in _UTF_8_AND_ITS_SUBSET:
            return problems.answer(request, status=415, detail="Write the request in UTF-8.")
        return self.get_response(request)

"""How a JSON body is read: an object, strictly, or a clear refusal before a view sees it."""

import json
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

# Deeper than anything asked for, and far from where Python itself gives up.
MAX_DEPTH = 50


class JSONObjectParser(JSONParser):
    """JSON whose top is an object: no command of ours takes anything else."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        try:
            body = super().parse(stream, media_type, parser_context)
            # Whoever repeats what was sent, in a refusal or a log line, must be able to write it.
            text = json.dumps(body, ensure_ascii=False)
            text.encode()
            if text.count("[") + text.count("{") > MAX_DEPTH:
                _check_depth(body, left=MAX_DEPTH)
        except RecursionError as reason:
            raise ParseError("The JSON is nested too deeply.") from reason
        except UnicodeEncodeError as reason:
            raise ParseError("Half of a surrogate pair is no character.") from reason
        if not isinstance(body, dict):
            raise ParseError('The body must be a JSON object, such as {"title": "Buy milk"}.')
        return body


def _check_depth(value: Any, *, left: int) -> None:
    if left < 0:
        raise RecursionError
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, dict | list):
            _check_depth(inner, left=left - 1)

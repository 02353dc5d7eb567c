"""How a JSON body is read: an object, strictly, or a clear refusal before a view sees it."""

import json
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser


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
        except RecursionError as reason:
            raise ParseError("The JSON is nested too deeply.") from reason
        try:
            # Whoever repeats what was sent, in a refusal or a log line, could not write it.
            json.dumps(body, ensure_ascii=False).encode()
        except UnicodeEncodeError as reason:
            raise ParseError("Half of a surrogate pair is no character.") from reason
        if not isinstance(body, dict):
            raise ParseError('The body must be a JSON object, such as {"title": "Buy milk"}.')
        return body

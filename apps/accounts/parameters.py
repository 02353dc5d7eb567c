"""Which words an address may carry after its question mark."""

from typing import Any

from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request


class RefusesUnknownParameters:
    """For views. One that is not known is a typing error: to let it pass would answer another question, or change what
    was only to be tried.
    """

    def known_parameters(self) -> set[str]:
        return set()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)  # type: ignore[misc]
        known = self.known_parameters() | {"format"}
        if unknown := sorted(set(request.query_params) - known):
            told = f"Not a parameter of this address. Those are: {', '.join(sorted(known - {'format'})) or 'none'}."
            raise ValidationError({name: [ErrorDetail(told, code="unknown_parameter")] for name in unknown})

"""What a caller who is known may not do all the same."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from apps.accounts.models import PersonalToken


class NotByPersonalToken(BasePermission):
    """A key given to a script must not make more keys, nor sign anybody out."""

    message = "A personal token may not do this. Sign in with your password."

    def has_permission(self, request: Request, view: Any) -> bool:
        return not isinstance(request.auth, PersonalToken)

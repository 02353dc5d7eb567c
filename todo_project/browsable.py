"""The browsable API: the same answers as pages, with forms for what may be done at an address.

Invariant: a form asks for no more than the operation takes; an operation without a body is a button.
"""

from collections.abc import Mapping
from typing import Any

from rest_framework.renderers import BrowsableAPIRenderer


class BrowsableAPI(BrowsableAPIRenderer):
    def get_context(self, data: Any, accepted_media_type: str | None, renderer_context: Mapping[str, Any]) -> Any:
        context: dict[str, Any] = super().get_context(data, accepted_media_type, renderer_context)
        view = context["view"]
        # Who follows a link to a verb has done nothing wrong: the page offers the verb.
        context["is_verb"] = context["response"].status_code == 405 and "GET" not in view.allowed_methods
        if "POST" in view.allowed_methods and not takes_body(view, "POST"):
            context |= {"post_form": None, "raw_data_post_form": None, "bare_post": True}
        return context


def takes_body(view: Any, method: str) -> bool:
    """False where the handler of the method is described as one without a request body."""
    action = getattr(view, "action_map", {}).get(method.lower(), method.lower())
    described = getattr(getattr(view, action), "kwargs", {}).get("schema")
    if described is None:
        return True
    # An instance of its own: the one of the view is shared with whoever makes the document now.
    schema = described()
    schema.view, schema.method = view, method
    return schema.get_request_serializer() is not None

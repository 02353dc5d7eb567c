"""What is left of what people wrote beside a record."""

from enum import StrEnum


class Kept(StrEnum):
    """Its value is the API's word for it."""

    WHOLE = "whole"
    ERASED = "erased"
    # Nobody may take content away but for an erasure.
    GONE = "gone"
    # Somebody wrote there what can be no content.
    BROKEN = "broken"

    @property
    def missing(self) -> str:
        """Why it cannot be shown, in a word or a few; empty when it can."""
        return _MISSING[self]


_MISSING = {
    Kept.WHOLE: "",
    Kept.ERASED: "erased",
    Kept.GONE: "gone, though nobody was erased",
    Kept.BROKEN: "cannot be read",
}

"""Why the accounts app refuses; each says what happened and what to do."""

from datetime import datetime


class AccountRefused(Exception):
    """The account or one of its credentials, as it is, does not allow this."""


class UsernameTaken(AccountRefused):
    """Somebody else has this username, or one that looks like it."""

    def __init__(self) -> None:
        super().__init__("Somebody has this username already. Choose another.")


class StaffNotErased(AccountRefused):
    """The person has rights over other people's things; somebody takes those away first, on purpose and on record."""

    def __init__(self) -> None:
        super().__init__("Staff are not erased. Take their staff and superuser status away in the admin first.")


class InvalidAccountField(AccountRefused):
    """A value that a field cannot have. `field` names it."""

    def __init__(self, *, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field


class TooManyTokens(AccountRefused):
    """The person has as many live personal tokens as one may have."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"You have {limit} live tokens, which is the limit. Revoke one first.")


class TokenNotFound(AccountRefused):
    """No live personal token of this person has this id."""


class SignInEnded(AccountRefused):
    """The sign-in was signed out, has expired, or its person may no longer come in."""

    def __init__(self) -> None:
        super().__init__("This sign-in has ended. Sign in again.")


class AccountErased(SignInEnded):
    """Nobody is behind this account any more. `erased_at` is since when."""

    def __init__(self, erased_at: datetime) -> None:
        Exception.__init__(self, f"This account was erased at {erased_at:%Y-%m-%d %H:%M} UTC.")
        self.erased_at = erased_at


class StillActive(AccountRefused):
    """Who is to be erased is deactivated first, so that nothing of theirs comes while they go."""

    def __init__(self) -> None:
        super().__init__("The person may still come in. Deactivate them first.")


class RefreshTokenReused(SignInEnded):
    """A refresh token that was exchanged already came again: somebody else may hold it, so its sign-in is ended."""


class SignInHeldBack(AccountRefused):
    """Too many attempts failed. `wait` is in whole seconds, at least 1."""

    def __init__(self, wait: int) -> None:
        super().__init__("Too many attempts to sign in failed. Wait a little, then try again.")
        self.wait = wait

    @property
    def told(self) -> str:
        return f"{self} Wait at least {self.wait} s."

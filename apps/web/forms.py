"""The forms of the pages."""

from django.contrib.auth.forms import AuthenticationForm


class SignInForm(AuthenticationForm):
    """One answer for a wrong password, an unknown name and a person who was deactivated."""

    error_messages = {
        **AuthenticationForm.error_messages,
        "invalid_login": "No account has this username and password. Mind capital letters in both.",
    }

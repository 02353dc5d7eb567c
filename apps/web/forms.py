"""The forms of the pages."""

from django.contrib.auth.forms import AuthenticationForm


class SignInForm(AuthenticationForm):
    error_messages = {
        "invalid_login": "No account has this username and password. Mind capital letters in both.",
        "inactive": "This account is not active. Ask an administrator.",
    }

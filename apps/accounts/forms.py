"""The forms by which people get a password, in the pages and in the admin; what they save goes through services."""

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.contrib.auth import authenticate, password_validation
from django.contrib.auth.forms import (
    AdminPasswordChangeForm,
    PasswordChangeForm,
    PasswordResetForm,
    SetPasswordForm,
    UsernameField,
)
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives
from django.http import HttpRequest
from django.template import loader

from apps.accounts import mail, services
from apps.accounts.exceptions import InvalidAccountField, UsernameTaken
from apps.accounts.models import User
from apps.calendar.zones import time_zone_names


class SavedByService:
    """Django's forms of passwords save the whole row they read long ago; this saves the password alone."""

    cleaned_data: dict[str, Any]

    def set_password_and_save(
        self,
        user: User,
        password_field_name: str = "password1",  # noqa: S107 - a field's name
        commit: bool = True,
    ) -> User:
        usable = self.cleaned_data.get("set_usable_password", True)
        password = self.cleaned_data[password_field_name] if usable else None
        user.password = services.change_password(user_id=user.pk, password=password, now=datetime.now(UTC)).password
        return user


class NewPasswordForm(SavedByService, SetPasswordForm):
    pass


class ChangePasswordForm(SavedByService, PasswordChangeForm):
    """Looks at the old password as a door does, for a request's address. To bind it may raise `SignInHeldBack`."""

    def __init__(self, *args: Any, request: HttpRequest | None = None, **kwargs: Any) -> None:
        self.request = request
        super().__init__(*args, **kwargs)

    def clean_old_password(self) -> str:
        old: str = self.cleaned_data["old_password"]
        if authenticate(self.request, username=self.user.get_username(), password=old) is None:
            raise ValidationError(self.error_messages["password_incorrect"], code="password_incorrect")
        return old


class AdminChangePasswordForm(SavedByService, AdminPasswordChangeForm):
    pass


class ResetPasswordForm(PasswordResetForm):
    """Sends the mail after the answer: whether there is such a person cannot be read off how long it takes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].label = "E-mail"

    def send_mail(  # noqa: PLR0917 - Django's signature
        self,
        subject_template_name: str,
        email_template_name: str,
        context: dict[str, Any],
        from_email: str | None,
        to_email: str,
        html_email_template_name: str | None = None,
    ) -> None:
        subject = "".join(loader.render_to_string(subject_template_name, context).splitlines())
        body = loader.render_to_string(email_template_name, context)
        mail.send_soon(EmailMultiAlternatives(subject, body, from_email, [to_email]), user_id=context["user"].pk)


def time_zone_choices() -> list[tuple[str, Any]]:
    """The names, grouped by their first word as the lists of other programs are."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for name in sorted(time_zone_names()):
        region, _, place = name.partition("/")
        groups.setdefault(region if place else "Other", []).append((name, (place or name).replace("_", " ")))
    return [("UTC", "UTC"), *sorted(groups.items())]


class SignUpForm(forms.Form):
    username = UsernameField(
        max_length=150,
        validators=[User.username_validator],
        help_text="Letters, digits and @ . + - _",
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none", "autofocus": True}),
    )
    email = forms.EmailField(
        label="E-mail",
        max_length=254,
        help_text="For setting a new password, should you forget it.",
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    password = forms.CharField(
        strip=False,
        max_length=4096,
        help_text="At least 8 characters, and none of the common ones.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    time_zone = forms.ChoiceField(choices=time_zone_choices, initial="UTC", help_text="Where your days begin and end.")

    user: User

    def clean(self) -> dict[str, Any]:
        given = self.cleaned_data
        if "password" in given:
            somebody = User(username=given.get("username", ""), email=given.get("email", ""))
            try:
                password_validation.validate_password(given["password"], somebody)
            except ValidationError as reason:
                self.add_error("password", reason)
        return given

    def sign_up(self) -> bool:
        """Make the person, `user`; False, with the reason among the errors, when that is refused."""
        try:
            self.user = services.sign_up(**self.cleaned_data)
        except UsernameTaken as reason:
            self.add_error("username", str(reason))
        except InvalidAccountField as reason:
            self.add_error(reason.field, str(reason))
        return not self.errors

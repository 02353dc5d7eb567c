"""The pages of accounts: signing up and in, and passwords.

Invariant: no page tells whether somebody has an account with an e-mail address; signing in never leads back to
a page for signing in.
"""

import math
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth import views as django_views
from django.contrib.auth.forms import PasswordChangeForm, SetPasswordForm
from django.forms import BaseForm
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse, reverse_lazy
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import FormView, View

from apps.accounts.addresses import client_address
from apps.accounts.exceptions import SignInHeldBack
from apps.accounts.forms import ChangePasswordForm, NewPasswordForm, ResetPasswordForm, SignUpForm
from apps.accounts.models import MAX_USERNAME_LENGTH, User
from apps.web.forms import SignInForm
from todo_project import problems
from todo_project.throttles import seconds_to_wait

_PASSWORD_BACKEND = "apps.accounts.backends.PasswordBackend"  # noqa: S105 - a class


def _leads_to_a_door(address: str) -> bool:
    """Whether a page for those who are not signed in, or the way out, is at this address of ours."""
    path = urlsplit(address).path.rstrip("/") + "/"
    return path.startswith(reverse("password-reset")) or path in {
        reverse(name) for name in ("sign-in", "sign-up", "sign-out")
    }


class AtTheRateOfStrangers(View):
    """Answers a form no more often than the API answers who is not signed in: it sends mail, or makes rows."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method == "POST":
            limit = settings.THROTTLE_ADDRESS_PER_MINUTE
            wait = seconds_to_wait(f"address {client_address(request.META)}", limit=limit)
            if wait is not None:
                told = f"Too many requests came from your address. Try again in {math.ceil(wait)} s."
                refusal = problems.answer(request, status=429, detail=told)
                refusal.headers["Retry-After"] = str(math.ceil(wait))
                return refusal
        return super().dispatch(request, *args, **kwargs)


def _held_back(view: Any, form: BaseForm, reason: SignInHeldBack) -> HttpResponse:
    """The page once more, to try later. With a form that is not bound: to bind it is to try the password."""
    response: HttpResponse = view.render_to_response(
        view.get_context_data(form=form, held_back=reason.told), status=429
    )
    response.headers["Retry-After"] = str(reason.wait)
    return response


class SignInView(django_views.LoginView):
    template_name = "web/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def get_context_data(self, **told: Any) -> dict[str, Any]:
        return super().get_context_data(sign_up_open=settings.SIGN_UP_OPEN, **told)

    def get_redirect_url(self, request: HttpRequest | None = None) -> str:
        """Where one wanted to go; a door is no place to go to."""
        address = super().get_redirect_url()
        return "" if _leads_to_a_door(address) else address

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().post(request, *args, **kwargs)
        except SignInHeldBack as reason:
            typed = request.POST.get("username", "")[:MAX_USERNAME_LENGTH]
            return _held_back(self, SignInForm(request, initial={"username": typed}), reason)


@method_decorator([sensitive_post_parameters("password"), never_cache], name="dispatch")
class SignUpView(AtTheRateOfStrangers, FormView):
    """Makes an account and signs its person in. Nothing is here where sign-up is closed."""

    template_name = "web/sign_up.html"
    form_class = SignUpForm

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not settings.SIGN_UP_OPEN:
            raise Http404
        return redirect("home") if request.user.is_authenticated else super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: SignUpForm) -> HttpResponse:
        if not form.sign_up():
            return self.form_invalid(form)
        login(self.request, form.user, backend=_PASSWORD_BACKEND)
        return redirect("home")


class PasswordResetView(AtTheRateOfStrangers, django_views.PasswordResetView):
    template_name = "web/password_reset.html"
    email_template_name = "web/password_reset_mail.txt"
    subject_template_name = "web/password_reset_subject.txt"
    form_class = ResetPasswordForm
    success_url = reverse_lazy("password-reset-sent")
    # Not the name in the request, which a stranger chooses: the mail leads to us.
    extra_email_context = {"public_url": settings.PUBLIC_URL, "minutes": settings.PASSWORD_RESET_TIMEOUT // 60}


class PasswordResetSentView(django_views.PasswordResetDoneView):
    template_name = "web/password_reset_sent.html"


class PasswordResetConfirmView(django_views.PasswordResetConfirmView):
    template_name = "web/password_set.html"
    form_class = NewPasswordForm
    success_url = reverse_lazy("sign-in")

    def form_valid(self, form: "SetPasswordForm[User]") -> HttpResponse:
        response = super().form_valid(form)
        messages.success(self.request, "Your new password is set. Sign in with it.")
        return response


class PasswordChangeView(django_views.PasswordChangeView):
    template_name = "web/password_change.html"
    form_class = ChangePasswordForm
    success_url = reverse_lazy("password-change")

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "request": self.request}

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().post(request, *args, **kwargs)
        except SignInHeldBack as reason:
            form = ChangePasswordForm(request.user, request=request)
            return _held_back(self, form, reason)

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        response = super().form_valid(form)
        messages.success(self.request, "Your password is changed. Everywhere else you were signed in, you are out.")
        return response

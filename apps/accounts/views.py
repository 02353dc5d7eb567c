"""Accounts over REST: translates requests into services and refusals into problems."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.contrib.auth import authenticate
from django.db.models import QuerySet
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, status, viewsets
from rest_framework.exceptions import (
    APIException,
    AuthenticationFailed,
    NotFound,
    PermissionDenied,
    Throttled,
    ValidationError,
)
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts import credentials, documentation, jwts, selectors, services
from apps.accounts.exceptions import InvalidAccountField, SignInEnded, SignInHeldBack, TokenNotFound, TooManyTokens
from apps.accounts.models import PersonalToken, SignIn, User
from apps.accounts.parameters import RefusesUnknownParameters
from apps.accounts.permissions import NotByPersonalToken
from apps.accounts.serializers import (
    NewPersonalTokenSerializer,
    PasswordSerializer,
    PersonalTokenSerializer,
    PersonSerializer,
    RefreshSerializer,
    SignOutSerializer,
    TicketSerializer,
    TokenPairSerializer,
)

_WRONG_PASSWORD = "No account has this username and password. Mind capital letters in both."  # noqa: S105 - a sentence


class Conflict(APIException):
    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


@contextmanager
def refusals_as_problems() -> Iterator[None]:
    try:
        yield
    except TokenNotFound as reason:
        raise NotFound from reason
    except InvalidAccountField as reason:
        raise ValidationError({reason.field: [str(reason)]}) from reason
    except TooManyTokens as reason:
        raise Conflict(str(reason), code="too_many_tokens") from reason
    except SignInEnded as reason:
        raise AuthenticationFailed(str(reason), code="sign_in_ended") from reason
    except SignInHeldBack as reason:
        raise Throttled(wait=reason.wait, detail=str(reason)) from reason


def caller(request: Request) -> User:
    assert isinstance(request.user, User)
    return request.user


class SignInDoor(RefusesUnknownParameters, APIView):
    """A door for who is not yet known; it says so with a 401 like any other."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def get_authenticate_header(self, request: Request) -> str:
        return "Bearer"


@method_decorator(never_cache, name="dispatch")
class TokenView(SignInDoor):
    """Sign in with a username and a password."""

    @extend_schema(**documentation.OBTAIN, request=PasswordSerializer, responses={200: TokenPairSerializer})
    def post(self, request: Request) -> Response:
        serializer = PasswordSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        with refusals_as_problems():
            user = authenticate(request=request._request, **serializer.validated_data)  # noqa: SLF001 - Django's request
        if not isinstance(user, User):
            raise AuthenticationFailed(_WRONG_PASSWORD)
        with refusals_as_problems():
            sign_in = credentials.start_sign_in(user=user, now=datetime.now(UTC))
        return Response(jwts.pair_of(sign_in))


@method_decorator(never_cache, name="dispatch")
class RefreshView(SignInDoor):
    """Exchange a refresh token for a new pair; it is good for one exchange."""

    @extend_schema(**documentation.REFRESH, request=RefreshSerializer, responses={200: TokenPairSerializer})
    def post(self, request: Request) -> Response:
        serializer = RefreshSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        try:
            claims = jwts.read_refresh(serializer.validated_data["refresh"])
        except jwts.NotOurToken:
            raise AuthenticationFailed("The refresh token is not valid or has expired. Sign in again.") from None
        with refusals_as_problems():
            sign_in = credentials.continue_sign_in(
                sign_in_id=claims.sign_in_id, token_id=claims.token_id, now=datetime.now(UTC)
            )
        return Response(jwts.pair_of(sign_in))


class SignOutView(RefusesUnknownParameters, APIView):
    """End a sign-in: its access and refresh tokens open nothing any more."""

    permission_classes = (IsAuthenticated, NotByPersonalToken)

    @extend_schema(**documentation.SIGN_OUT, request=SignOutSerializer, responses={204: None})
    def post(self, request: Request) -> Response:
        serializer = SignOutSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        sign_in_id = self._sign_in_id(request, serializer.validated_data.get("refresh"))
        if not credentials.end_sign_in(user=caller(request), sign_in_id=sign_in_id, now=datetime.now(UTC)):
            raise NotFound("No sign-in of yours has this refresh token.")
        return Response(status=status.HTTP_204_NO_CONTENT)

    @staticmethod
    def _sign_in_id(request: Request, refresh: str | None) -> UUID:
        if refresh is None:
            if isinstance(request.auth, SignIn):
                return request.auth.pk
            raise ValidationError({"refresh": ["Name the sign-in to end: send its refresh token."]})
        try:
            return jwts.read_refresh(refresh).sign_in_id
        except jwts.NotOurToken:
            raise ValidationError({"refresh": ["Not a refresh token, or one that has expired."]}) from None


class MeView(RefusesUnknownParameters, APIView):
    """You: your names, your address and the time zone your days run in."""

    permission_classes = (IsAuthenticated,)
    serializer_class = PersonSerializer

    def get_serializer(self, *args: Any, **kwargs: Any) -> PersonSerializer:
        """The browsable API's forms come from here: they offer what can be changed."""
        serializer = PersonSerializer(*args, **kwargs)
        for name in PersonSerializer.Meta.read_only_fields:
            serializer.fields.pop(name)
        return serializer

    @extend_schema(**documentation.ME, responses={200: PersonSerializer})
    def get(self, request: Request) -> Response:
        return Response(PersonSerializer(caller(request)).data)

    @extend_schema(**documentation.CHANGE_ME, request=PersonSerializer, responses={200: PersonSerializer})
    def patch(self, request: Request) -> Response:
        user = caller(request)
        serializer = PersonSerializer(user, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        if "email" in serializer.validated_data and isinstance(request.auth, PersonalToken):
            # Who has the address can have the password reset.
            raise PermissionDenied("A personal token may not change the e-mail address. Sign in with your password.")
        with refusals_as_problems():
            changed = services.change_profile(
                user_id=user.pk, actor=user, changes=serializer.validated_data, now=datetime.now(UTC)
            )
        return Response(PersonSerializer(changed).data)


@method_decorator(never_cache, name="dispatch")
class SocketTicketView(RefusesUnknownParameters, APIView):
    """A ticket opens one socket, once, within 30 seconds."""

    permission_classes = (IsAuthenticated, NotByPersonalToken)

    @extend_schema(**documentation.TICKET, request=None, responses={201: TicketSerializer})
    def post(self, request: Request) -> Response:
        told = {
            "ticket": credentials.issue_ticket(user=caller(request)),
            "expires_in_seconds": credentials.TICKET_SECONDS,
        }
        return Response(told, status=status.HTTP_201_CREATED)


@extend_schema_view(
    list=extend_schema(**documentation.LIST_TOKENS),
    retrieve=extend_schema(**documentation.RETRIEVE_TOKEN),
    destroy=extend_schema(**documentation.REVOKE_TOKEN),
)
@method_decorator(never_cache, name="dispatch")
class PersonalTokenViewSet(
    RefusesUnknownParameters, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[PersonalToken]
):
    """Keys for scripts: each opens the API as you, within its scopes, until it expires or is revoked."""

    serializer_class = PersonalTokenSerializer
    permission_classes = (IsAuthenticated, NotByPersonalToken)
    lookup_url_kwarg = "token_id"
    # Exactly a UUID: what is none never reaches a query.
    lookup_value_regex = "-".join(f"[0-9a-fA-F]{{{length}}}" for length in (8, 4, 4, 4, 12))
    queryset = PersonalToken.objects.none()

    def known_parameters(self) -> set[str]:
        return {"cursor", "page_size"} if self.action == "list" else set()

    def get_queryset(self) -> QuerySet[PersonalToken]:
        if not self.request.user.is_authenticated:
            return PersonalToken.objects.none()
        return selectors.tokens_of(caller(self.request))

    @extend_schema(
        **documentation.CREATE_TOKEN, request=PersonalTokenSerializer, responses={201: NewPersonalTokenSerializer}
    )
    def create(self, request: Request) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        wanted = {"expires_at": None, **serializer.validated_data}
        with refusals_as_problems():
            made = credentials.create_personal_token(user=caller(request), now=datetime.now(UTC), **wanted)
        made.row.token = made.secret  # type: ignore[attr-defined]  # for this one answer
        told = NewPersonalTokenSerializer(made.row, context=self.get_serializer_context()).data
        return Response(told, status=status.HTTP_201_CREATED, headers={"Location": told["url"]})

    def destroy(self, request: Request, token_id: UUID) -> Response:
        with refusals_as_problems():
            credentials.revoke_personal_token(user=caller(request), token_id=token_id, now=datetime.now(UTC))
        return Response(status=status.HTTP_204_NO_CONTENT)

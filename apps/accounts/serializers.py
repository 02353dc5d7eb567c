"""How accounts and their credentials look over REST. Changes nothing: views call services."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from apps.accounts.models import PersonalToken, User, validate_time_zone

MOST_NAMED = 100
# What a browser's form adds by itself is not the caller's doing.
_OF_THE_FORM = {"csrfmiddlewaretoken"}


class RefusesUnknownFields(serializers.Serializer[Any]):
    """A field that is not known is a typing error the caller wants to hear of, together with all other errors.

    A field that is only read may come back with the value it has: whoever reads a thing may send it back.
    """

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return super().to_internal_value(data)
        unknown = self._unknown(data)
        try:
            value = super().to_internal_value(data)
        except serializers.ValidationError as reason:
            raise serializers.ValidationError({**reason.detail, **unknown}) from reason  # type: ignore[dict-item]
        if unknown:
            raise serializers.ValidationError(unknown)
        return value

    def _unknown(self, data: Mapping[str, Any]) -> dict[str, Any]:
        settable = {name for name, field in self.fields.items() if not field.read_only}
        rest = sorted(set(data.keys()) - settable - _OF_THE_FORM)
        if not rest:
            return {}
        read = self.to_representation(self.instance) if self.instance is not None else {}
        told = f"Not a field that can be set. Those are: {', '.join(sorted(settable))}."
        # A body has room for a hundred thousand names; whoever sends such a one is served by the first few.
        return {
            name[:200]: [ErrorDetail(told, code="unknown_field")]
            for name in rest[:MOST_NAMED]
            if name not in read or read[name] != data[name]
        }


def _secret(**more: Any) -> serializers.CharField:
    return serializers.CharField(write_only=True, trim_whitespace=False, style={"input_type": "password"}, **more)


class PasswordSerializer(RefusesUnknownFields):
    username = serializers.CharField(write_only=True, max_length=150)
    password = _secret(max_length=4096)


class RefreshSerializer(RefusesUnknownFields):
    refresh = serializers.CharField(write_only=True, max_length=4096, help_text="The refresh token last given.")


class SignOutSerializer(RefusesUnknownFields):
    refresh = serializers.CharField(
        write_only=True,
        required=False,
        max_length=4096,
        help_text="A refresh token of the sign-in to end; without it the one of the access token.",
    )


class TokenPairSerializer(serializers.Serializer[dict[str, str]]):
    access = serializers.CharField(help_text="Send it as `Authorization: Bearer …`; good for 10 minutes.")
    refresh = serializers.CharField(help_text="Exchange it once at `auth/refresh/`; good for 14 days.")


class PersonSerializer(RefusesUnknownFields, serializers.ModelSerializer[User]):
    """A person. `time_zone` is where their wall clock hangs; a change of it is an event."""

    time_zone = serializers.CharField(
        max_length=64,
        required=False,
        validators=[validate_time_zone],
        help_text="A name of the IANA database, such as Europe/London.",
    )

    class Meta:
        model = User
        fields = ["id", "username", "email", "first_name", "last_name", "time_zone"]
        read_only_fields = ["id", "username"]


class Scopes(serializers.MultipleChoiceField):
    """A list in JSON, boxes to choose from in a form."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, list):
            self.fail("not_a_list", input_type=type(data).__name__)
        return super().to_internal_value(data)  # type: ignore[arg-type]  # the stub is that of one choice


class PersonalTokenSerializer(RefusesUnknownFields, serializers.ModelSerializer[PersonalToken]):
    """A personal token without its secret. `prefix` is how it begins; `last_used_at` is exact to the hour."""

    url = serializers.HyperlinkedIdentityField(view_name="token-detail", lookup_url_kwarg="token_id")
    scopes = Scopes(
        choices=PersonalToken.Scope.choices,
        allow_empty=False,
        help_text="`read` allows GET, HEAD and OPTIONS; `write` allows everything a token may do.",
    )
    expires_at = serializers.DateTimeField(
        required=False, help_text="At most 366 days ahead; 90 days ahead when it is left out."
    )

    class Meta:
        model = PersonalToken
        fields = ["id", "url", "name", "prefix", "scopes", "created_at", "expires_at", "last_used_at"]
        read_only_fields = ["id", "prefix", "created_at", "last_used_at"]


class NewPersonalTokenSerializer(PersonalTokenSerializer):
    token = serializers.CharField(read_only=True, help_text="The secret. It is shown here and never again.")

    class Meta(PersonalTokenSerializer.Meta):
        fields = [*PersonalTokenSerializer.Meta.fields, "token"]


class TicketSerializer(serializers.Serializer[dict[str, Any]]):
    ticket = serializers.CharField(help_text="Opens one socket, once.")
    expires_in_seconds = serializers.IntegerField()

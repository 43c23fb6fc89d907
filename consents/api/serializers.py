"""Shapes of the API's messages."""

from datetime import datetime
from typing import Any

from rest_framework import serializers

from consents.receipts import verifying
from consents.receipts.issuing import Format
from consents.vocabulary import EVERY, NOTICE, SAID, Category
from portal.api_views import StrictSerializer


def _check_notice(text: str) -> None:
    if not NOTICE.fullmatch(text):
        raise serializers.ValidationError("Name the notice as slug/version: ai-training/2.", code="malformed_notice")


class ZonedTime(serializers.DateTimeField):
    """A time that says its zone; guessing one would shift what people said."""

    default_error_messages = {"no_zone": "State the time with its zone, as RFC 3339: 2026-03-02T12:00:00Z."}

    def enforce_timezone(self, value: datetime) -> datetime:
        if value.tzinfo is None:
            self.fail("no_zone")
        return super().enforce_timezone(value)


class NamedSubject(StrictSerializer):
    scheme = serializers.CharField(
        max_length=40, help_text="An identifier scheme of your registration, such as account"
    )
    value = serializers.CharField(max_length=255)


class ChoiceIn(StrictSerializer):
    """One choice of one person."""

    subject = NamedSubject()
    purpose = serializers.CharField(max_length=80)
    action = serializers.ChoiceField(choices=[(action.value, action.label) for action in SAID])
    occurred_at = ZonedTime(help_text="RFC 3339 with zone; at most five minutes ahead of our clock")
    recipient = serializers.CharField(max_length=50, default=EVERY, allow_blank=True)
    category = serializers.ChoiceField(choices=[(EVERY, "all"), *Category.choices], default=EVERY, allow_blank=True)
    notice = serializers.CharField(
        max_length=57, default="", allow_blank=True, validators=[_check_notice], help_text="The one shown: slug/version"
    )
    evidence = serializers.CharField(max_length=4000, default="", allow_blank=True, help_text="Kept encrypted")


class ChoiceOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    subject = serializers.UUIDField()
    position = serializers.IntegerField(allow_null=True, help_text="Place in the log; null until it has one")
    receipt = serializers.CharField(help_text="The receipt's reference")
    receipt_url = serializers.CharField()
    recorded_at = serializers.DateTimeField()


class DecisionQuery(StrictSerializer):
    subject = serializers.CharField(
        max_length=300, help_text="scheme:value of an opaque scheme, such as account:m_42; never an address"
    )
    purpose = serializers.CharField(max_length=80)
    recipient = serializers.CharField(max_length=50, default=EVERY, allow_blank=True)
    category = serializers.ChoiceField(choices=[(EVERY, "all"), *Category.choices], default=EVERY, allow_blank=True)
    at = ZonedTime(required=False, help_text="Any past moment; now if absent")
    jurisdiction = serializers.CharField(max_length=6, required=False, help_text="Answers for people nobody registered")
    created_at = ZonedTime(required=False, help_text="When the data was made, for pauses of a span of data")


class ReasonOut(serializers.Serializer[Any]):
    code = serializers.CharField()
    effect = serializers.ChoiceField(choices=["allow", "deny", "passed"])
    text = serializers.CharField()


class PausedSpan(serializers.Serializer[Any]):
    """Data made in this span is paused: leave it out, or ask with `created_at`."""

    hold = serializers.UUIDField()
    data_from = serializers.DateTimeField(allow_null=True)
    data_until = serializers.DateTimeField(allow_null=True)


class DecisionOut(serializers.Serializer[Any]):
    allow = serializers.BooleanField()
    gap = serializers.BooleanField(help_text="It denies only because something is not configured: we cannot tell")
    at = serializers.DateTimeField()
    position = serializers.IntegerField(help_text="The log's head when this was decided")
    reasons = ReasonOut(many=True)
    rule = serializers.IntegerField(allow_null=True)
    hold = serializers.UUIDField(allow_null=True)
    choice = serializers.UUIDField(allow_null=True)
    spans = PausedSpan(many=True, help_text="Rows made in these spans must be left out all the same")


class ChangesQuery(StrictSerializer):
    after = serializers.IntegerField(min_value=0, default=0, help_text="The last position you have seen")
    wait = serializers.IntegerField(min_value=0, max_value=30, default=0, help_text="Seconds to wait for something new")
    limit = serializers.IntegerField(min_value=1, max_value=1000, default=500)


class ChangeOut(serializers.Serializer[Any]):
    position = serializers.IntegerField()
    kind = serializers.CharField()
    subject = NamedSubject(allow_null=True, help_text="By the first opaque scheme of your registration")
    purpose = serializers.CharField()
    action = serializers.CharField()
    recipient = serializers.CharField()
    category = serializers.CharField()
    details = serializers.DictField()
    occurred_at = serializers.DateTimeField()
    recorded_at = serializers.DateTimeField()


class ChangesOut(serializers.Serializer[Any]):
    changes = ChangeOut(many=True)
    next = serializers.IntegerField(help_text="Ask for what comes after this position")
    more = serializers.BooleanField()


class ReceiptQuery(StrictSerializer):
    format = serializers.ChoiceField(choices=Format.choices, default=Format.JSONLD)
    language = serializers.ChoiceField(choices=["en", "de", "fr"], default="en")


class CheckOut(serializers.Serializer[Any]):
    name = serializers.ChoiceField(choices=list(verifying.NAMES))
    outcome = serializers.ChoiceField(
        choices=[verifying.PASSED, verifying.FAILED, verifying.PENDING, verifying.SKIPPED]
    )
    detail = serializers.CharField()
    places = serializers.ListField(
        child=serializers.CharField(), help_text="What differs, or which key, place or size it was"
    )


class VerdictOut(serializers.Serializer[Any]):
    valid = serializers.BooleanField(help_text="Nothing failed")
    proven = serializers.BooleanField(help_text="Valid, and the log's proof is in it and holds")
    type = serializers.CharField()
    receipt = serializers.CharField(allow_null=True, help_text="Its reference, if it is valid")
    event = serializers.DictField(allow_null=True, help_text="What it says was decided, if it is valid")
    checks = CheckOut(many=True)


class Problem(serializers.Serializer[Any]):
    """RFC 9457 problem details."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField(help_text="Stable; build on this")
    detail = serializers.CharField()
    errors = serializers.ListField(child=serializers.DictField(), required=False)  # type: ignore[assignment]

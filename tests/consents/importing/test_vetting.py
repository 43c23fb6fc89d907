"""Each row is checked as POST /choices checks it, and refused with a code that says why."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from consents.bulk_batches import Batch
from consents.importing import vetting
from consents.vocabulary import SAID
from portal.errors import DomainError
from tests.conftest import AT
from tests.consents.sending import row

pytestmark = pytest.mark.usefixtures("world")


def refused(terms: vetting.Terms | None = None, **changes: Any) -> str:
    batch = Batch()
    with pytest.raises(DomainError) as refusal:
        vetting.put(batch, 1, row(**changes), terms=terms or vetting.terms(), at=AT)
    assert (len(batch), batch.evidence, batch.keys, batch.minors) == (0, {}, {}, {})
    assert not any(text and text in refusal.value.message for text in changes.values() if isinstance(text, str))
    return refusal.value.code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"purpose": "nothing"}, "unknown_purpose"),
        ({"purpose": ""}, "unknown_purpose"),
        ({"recipient": "nobody"}, "unknown_recipient"),
        ({"category": "thoughts"}, "unknown_category"),
        ({"action": "perhaps"}, "unknown_action"),
        ({"action": "DENY"}, "unknown_action"),
        ({"action": "signal_on"}, "unknown_action"),
        ({"scheme": "Account"}, "unknown_scheme"),
        ({"value": ""}, "invalid_identifier"),
        ({"value": "a\x00b"}, "invalid_identifier"),
        ({"value": "x" * 256}, "invalid_identifier"),
        ({"scheme": "email", "value": "nobody"}, "invalid_identifier"),
        ({"occurred_at": "2026-03-02T12:00:00"}, "time_without_zone"),
        ({"occurred_at": "2026-03-02"}, "time_without_zone"),
        ({"occurred_at": datetime(2026, 3, 2)}, "time_without_zone"),  # noqa: DTZ001 -- that is the mistake
        ({"occurred_at": "yesterday"}, "malformed_time"),
        ({"occurred_at": ""}, "malformed_time"),
        ({"occurred_at": "2026-13-02T12:00:00Z"}, "malformed_time"),
        ({"occurred_at": AT + timedelta(minutes=5, microseconds=1)}, "time_in_future"),
        ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "time_out_of_range"),
        ({"notice": "n" * 51 + "/1"}, "malformed_notice"),
        ({"notice": "what Alice was told"}, "malformed_notice"),
        ({"notice": "ai-training/2\n"}, "malformed_notice"),
        ({"evidence": "e" * 4001}, "too_long"),
        ({"key": "k" * 256}, "too_long"),
        ({"evidence": "a\x00b", "key": "k"}, "null_character"),
        ({"is_minor": "perhaps", "key": "key 9", "evidence": "box 9"}, "wrong_minor"),
    ],
)
def test_a_wrong_row_is_refused_and_leaves_nothing(changes: dict[str, Any], code: str) -> None:
    assert refused(**changes) == code


@pytest.mark.parametrize("action", SAID)
def test_whatever_a_person_can_say_is_taken(action: str) -> None:
    batch = Batch()
    vetting.put(batch, 1, row(action=action), terms=vetting.terms(), at=AT)
    assert len(batch) == 1


@pytest.mark.parametrize("action", SAID)
def test_nothing_is_said_about_every_purpose_at_once(action: str) -> None:
    assert refused(purpose="", action=action) == "unknown_purpose"


@pytest.mark.parametrize("notice", ["", "ai-training/2", "Terms_of-Use/999999"])
def test_a_notice_is_named_by_its_version(notice: str) -> None:
    batch = Batch()
    vetting.put(batch, 1, row(notice=notice), terms=vetting.terms(), at=AT)
    assert [one.notice for one in batch.said] == [notice]


def test_five_minutes_ahead_are_forgiven() -> None:
    batch = Batch()
    vetting.put(batch, 1, row(occurred_at=AT + timedelta(minutes=5)), terms=vetting.terms(), at=AT)
    assert len(batch) == 1


class TestOfAPartner:
    def terms(self) -> vetting.Terms:
        return vetting.terms(
            schemes=frozenset(["account"]), spoken_for=frozenset(["linkwell"]), admits_minors_flag=False
        )

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"scheme": "device", "recipient": "linkwell"}, "scheme_not_yours"),
            ({}, "recipient_not_yours"),
            ({"recipient": "northlight"}, "recipient_not_yours"),
            ({"recipient": "nobody"}, "unknown_recipient"),
            ({"recipient": "linkwell", "is_minor": "yes"}, "unknown_field"),
        ],
    )
    def test_what_is_beyond_its_registration_is_refused(self, changes: dict[str, Any], code: str) -> None:
        assert refused(self.terms(), **changes) == code

"""The address that OpenDSR processors call: a signed callback is accepted, any other is refused."""

import pytest
from django.test import Client

from consents.models import Subject
from consents.vocabulary import Action
from downstream.models import Dataset, Propagation
from tests.consents.api.conftest import problem
from tests.downstream.acting import carry_out, planned, say
from tests.downstream.holders.processor import Processor

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_signed_callback_is_accepted_and_any_other_refused(
    held: Dataset, alice: Subject, listening: Processor
) -> None:
    say(alice, Action.DENY)
    carry_out(planned())
    body = listening.callback(listening.posted[0], url="http://localhost:8000/opendsr/callbacks")
    headers = {"x-opendsr-processor-domain": "localhost", "x-opendsr-signature": listening.signature(body)}
    Propagation.objects.update(handed_over_at=None)
    before = Propagation.objects.get().next_try_at
    good = Client().post("/opendsr/callbacks", body, content_type="application/json", headers=headers)
    assert good.status_code == 202
    assert Propagation.objects.get().next_try_at != before
    bad = Client().post("/opendsr/callbacks", body + b" ", content_type="application/json", headers=headers)
    assert problem(bad) == (403, "wrong_signature")  # type: ignore[arg-type]
    nothing = Client().post("/opendsr/callbacks", body, content_type="application/json")
    assert problem(nothing) == (403, "wrong_signature")  # type: ignore[arg-type]
    assert Client().get("/opendsr/callbacks").status_code == 405


def test_messages_of_anybody_make_us_call_out_once_a_minute(held: Dataset, listening: Processor) -> None:
    for number in range(2):
        again = Dataset.objects.get(pk=held.pk)
        again.pk, again.slug, again.location = None, f"again-{number}", held.location + "/" * (number + 1)
        again.save(force_insert=True)
    assert Dataset.objects.count() == 3
    headers = {"x-opendsr-processor-domain": "localhost", "x-opendsr-signature": "bm9ib2R5"}
    before = listening.discoveries
    for _ in range(5):
        answer = Client().post("/opendsr/callbacks", b"{}", content_type="application/json", headers=headers)
        assert problem(answer) == (403, "wrong_signature")  # type: ignore[arg-type]
    assert listening.discoveries == before + 1

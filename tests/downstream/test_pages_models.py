"""The journey page names the models that learned from the reader before their no, and what becomes of each."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client

from consents.models import Partner, Subject
from consents.vocabulary import Action
from downstream import exposures
from downstream.exposures import Decision
from downstream.models import Dataset, TrainedModel
from downstream.pages import views
from portal import clock
from tests.conftest import BY, SignIn
from tests.downstream.acting import say
from tests.downstream.training import caught_up, ready, trained

pytestmark = pytest.mark.django_db(transaction=True)

TODAY = clock.now().date()


@pytest.fixture
def posts(alice: Subject, charlie: Subject, acme: Partner, tmp_path: Path) -> Dataset:
    """What the model writer learned from; Alice has left it since."""
    dataset = ready(tmp_path)
    trained(dataset, partner=acme, at=clock.now())
    say(alice, Action.DENY, at=clock.now())
    caught_up(dataset, at=clock.now())
    return dataset


def journey(browser: Client, purpose: str = "ai-training") -> str:
    answer = browser.get(f"/choices/{purpose}/journey/")
    assert answer.status_code == 200
    return answer.content.decode()


def test_it_names_the_model_with_what_it_learned_from(posts: Dataset, alice: Subject, signed_in: SignIn) -> None:
    shown = journey(signed_in(alice))
    for words in ("writer", "trained by Linkwell", "Posts", "That is not decided yet."):
        assert words in shown


def test_who_was_not_in_it_or_said_no_to_something_else_reads_nothing_of_it(
    posts: Dataset, alice: Subject, charlie: Subject, grace: Subject, signed_in: SignIn
) -> None:
    say(grace, Action.DENY, at=clock.now())
    assert "writer" not in journey(signed_in(grace))
    assert "writer" not in journey(signed_in(charlie))
    say(alice, Action.DENY, "marketing", at=clock.now())
    assert "writer" not in journey(signed_in(alice), "marketing")


@pytest.mark.parametrize(
    ("decision", "later", "words"),
    [
        (Decision("retrain", due_on=TODAY), 0, "It will be trained anew, without your data"),
        (Decision("retire", due_on=TODAY), 0, "It will be retired by"),
        (Decision("retire", due_on=TODAY), 2, "We are late"),
        (Decision("accepted", ground="Too costly", legal_ground="Art. 21"), 0, "It stays in use as it is"),
    ],
)
def test_it_says_what_becomes_of_the_model_without_the_ground(
    posts: Dataset,
    alice: Subject,
    signed_in: SignIn,
    decision: Decision,
    later: int,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exposures.decide(model=TrainedModel.objects.get(), decision=decision, by=BY, at=clock.now())
    browser, then = signed_in(alice), clock.now() + timedelta(days=later)
    with monkeypatch.context() as patched:
        patched.setattr(views.clock, "now", lambda: then)
        shown = journey(browser)
    assert words in shown
    assert "Too costly" not in shown

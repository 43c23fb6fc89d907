"""Idempotency-Key: the first answer again, and nothing written."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from portal import idempotency
from portal.crypto import Ring
from portal.errors import DomainError
from portal.idempotency import IdempotencyError
from portal.models import RememberedAnswer
from tests.conftest import AT


class Counted:
    """An act that counts how often it was done."""

    def __init__(self, then: Callable[[], None] = lambda: None) -> None:
        self.done = 0
        self.then = then

    def __call__(self) -> tuple[int, dict[str, Any]]:
        self.done += 1
        self.then()
        return 201, {"number": self.done}


def once(act: Counted, *, key: str | None = "k", request: Any = "r", client: str = "acme") -> Any:
    return idempotency.once(client=client, key=key, request=request, at=AT, act=act)


def test_a_repetition_gets_the_first_answer_and_does_nothing(db: None) -> None:
    act = Counted()
    assert once(act) == ((201, {"number": 1}), False)
    assert once(act) == ((201, {"number": 1}), True)
    assert act.done == 1


def test_the_same_key_with_another_request_is_refused(db: None) -> None:
    act = Counted()
    once(act)
    with pytest.raises(IdempotencyError) as refusal:
        once(act, request="other")
    assert refusal.value.code == "idempotency_key_reused"
    assert act.done == 1


def test_the_order_of_fields_does_not_make_another_request(db: None) -> None:
    act = Counted()
    once(act, request={"a": 1, "b": 2})
    assert once(act, request={"b": 2, "a": 1})[1] is True


def test_another_client_may_use_the_same_key(db: None) -> None:
    act = Counted()
    once(act)
    assert once(act, client="other")[1] is False


def test_without_a_key_nothing_is_remembered(db: None) -> None:
    act = Counted()
    once(act, key=None)
    once(act, key=None)
    assert act.done == 2
    assert not RememberedAnswer.objects.exists()


@pytest.mark.parametrize("key", ["", "x" * 256, "a\nb", "\x00"])
def test_a_key_that_cannot_be_one_is_refused(db: None, key: str) -> None:
    with pytest.raises(IdempotencyError) as refusal:
        once(Counted(), key=key)
    assert refusal.value.code == "idempotency_key_invalid"


def test_a_failure_is_not_remembered(db: None) -> None:
    def fail() -> None:
        raise DomainError("no", "No.")

    with pytest.raises(DomainError):
        once(Counted(then=fail))
    assert once(Counted()) == ((201, {"number": 1}), False)


def test_the_request_cannot_be_guessed_from_what_is_kept(db: None, settings: Any) -> None:
    once(Counted())
    first = bytes(RememberedAnswer.objects.get().request_digest)
    RememberedAnswer.objects.all().delete()
    settings.INDEX_KEYS = type(settings.INDEX_KEYS)({"other": bytes(32)})
    once(Counted())
    assert bytes(RememberedAnswer.objects.get().request_digest) != first


def test_answers_are_kept_for_seven_days(db: None) -> None:
    once(Counted())
    assert idempotency.forget_old(at=AT + timedelta(days=7)) == 0
    assert idempotency.forget_old(at=AT + timedelta(days=7, seconds=1)) == 1


@pytest.mark.django_db(transaction=True)
def test_two_at_once_have_one_effect() -> None:
    inside, go_on = threading.Event(), threading.Event()

    def pause() -> None:
        inside.set()
        go_on.wait(10)

    act, answers = Counted(then=pause), []
    threads = [in_thread(lambda: answers.append(once(act)))]
    inside.wait(10)
    threads.append(in_thread(lambda: answers.append(once(act))))
    go_on.set()
    for thread in threads:
        thread.join(20)
    assert act.done == 1
    assert sorted(repeated for _, repeated in answers) == [False, True]
    assert answers[0][0] == answers[1][0]


@pytest.mark.django_db(transaction=True)
def test_the_second_of_two_at_once_acts_when_the_first_fails() -> None:
    inside, go_on = threading.Event(), threading.Event()

    def fail() -> None:
        inside.set()
        go_on.wait(10)
        raise DomainError("no", "No.")

    answers: list[Any] = []

    def first() -> None:
        with pytest.raises(DomainError):
            once(Counted(then=fail))

    threads = [in_thread(first)]
    inside.wait(10)
    threads.append(in_thread(lambda: answers.append(once(Counted()))))
    go_on.set()
    for thread in threads:
        thread.join(20)
    assert answers == [((201, {"number": 1}), False)]


def in_thread(work: Callable[[], None]) -> threading.Thread:
    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_what_a_partner_calls_its_key_is_kept_nowhere(db: None) -> None:
    once(Counted(), key="for alice@example.org")
    assert "alice" not in RememberedAnswer.objects.get().key


def test_a_repetition_is_known_across_a_rotation_of_the_index_key(db: None, settings: Any) -> None:
    act = Counted()
    once(act)
    settings.INDEX_KEYS = Ring({"new": bytes(32), **settings.INDEX_KEYS.keys})
    assert once(act) == ((201, {"number": 1}), True)
    with pytest.raises(IdempotencyError):
        once(act, request="another")
    assert act.done == 1

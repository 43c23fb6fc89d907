"""Whatever anybody else asks and mistypes, who owns the mailbox can prove their own request, and nobody else can."""

import uuid
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.test import override_settings
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from consents import subjects
from consents.subjects import Newcomer
from requests_app import identity
from requests_app.identity import CodeRefused, Sent, TooMany
from requests_app.models import IdentityCheck, Request
from requests_app.states import CheckStatus, Status
from tests.conftest import AT, BY
from tests.requests_app.proving import ask, type_in, typed

OWNER = "zoe@example.org"
_ASK, _TYPE, _WAIT, _EXPIRE = "ask", "type", "wait", "expire"
moves = st.lists(
    st.one_of(
        # how many clients ask, each how often: up to and beyond every limit
        st.tuples(st.just(_ASK), st.integers(1, 3), st.sampled_from([1, 4, 6])),
        st.tuples(st.just(_TYPE), st.text(max_size=12), st.sampled_from([1, 6])),
        st.tuples(st.just(_WAIT), st.integers(0, 40), st.just(0)),
        st.tuples(st.just(_EXPIRE), st.just(0), st.just(0)),
    ),
    max_size=4,
)


class Mailbox:
    """What arrived at the owner's address, the newest last."""

    def __init__(self) -> None:
        self.codes: list[tuple[Any, str]] = []

    def take(self, sent: Sent, at: Any) -> None:
        if sent.code is not None:
            self.codes.append((at, sent.code))

    def living(self, at: Any) -> list[str]:
        return [code for sent_at, code in self.codes if at < sent_at + timedelta(minutes=15)]


class Mallory:
    """Asks for and types into requests of their own for the owner's address, from wherever they like."""

    def __init__(self, mailbox: Mailbox) -> None:
        self.mailbox, self.pages, self.clients = mailbox, list[Sent](), 0

    def ask(self, clients: int, times: int, at: Any) -> None:
        for _ in range(clients):
            self.clients += 1
            request = typed("complaint", contact=OWNER, at=at, about=self.about)[0]
            for _ in range(times):
                sent = ask(request, client=f"mallory-{self.clients}", at=at)
                self.mailbox.take(sent, at)
                self.pages.append(sent)

    def type(self, text: str, times: int, at: Any) -> None:
        for page in self.pages[-2:]:
            for _ in range(times):
                try:
                    type_in(page, text or "BBBB", at=at)
                except CodeRefused:
                    continue

    about: Request


class TestProving(TestCase):
    waited = 0

    @effort(max_examples=12, deadline=None)
    @given(before=moves, between=moves, is_known=st.booleans(), shares_client=st.booleans())
    def test_nobody_stops_the_owner_and_nobody_else_is_proven(
        self, before: Any, between: Any, is_known: bool, shares_client: bool
    ) -> None:
        mailbox = Mailbox()
        mallory = Mallory(mailbox)
        mallory.about = typed("access", contact="o@example.org")[0]
        self.count_anew()
        if is_known:
            subjects.register(newcomer=Newcomer((subjects.name("email", OWNER),), "US"), by=BY, at=AT)
        at = self.play(mallory, before, AT)
        mine = typed("complaint", contact=OWNER, at=at, about=mallory.about, note="mine")[0]
        client = f"mallory-{mallory.clients}" if shares_client else "owner"
        try:
            page = ask(mine, client=client, at=at)
        except TooMany:
            # the same network asked more than thirty times within the hour
            page = ask(mine, client="owner", at=at)
        mailbox.take(page, at)
        later = self.play(mallory, between, at)
        if later >= at + timedelta(minutes=15):
            page = ask(mine, client="owner", at=later)
            mailbox.take(page, later)
        assert Request.objects.get(pk=mine.pk).status == Status.VERIFYING
        assert not IdentityCheck.objects.filter(status=CheckStatus.PASSED).exists()
        # the newest mail holds a code that serves, whoever had it sent
        [proven] = type_in(page, mailbox.living(later)[-1], at=later)
        assert (proven.pk, identity.is_proven(proven)) == (mine.pk, True)
        assert not Request.objects.exclude(pk=mine.pk).exclude(status__in=[Status.VERIFYING, Status.EXPIRED]).exists()

    def wait(self, minutes: int) -> None:
        """Counters run out by the wall clock, which does not wait for tests."""
        self.waited += minutes
        if self.waited >= 15:
            self.waited = 0
            self.count_anew()

    def count_anew(self) -> None:
        own = {**settings.CACHES["default"], "KEY_PREFIX": uuid.uuid4().hex}
        self.enterContext(override_settings(CACHES={"default": own}))

    def play(self, mallory: Mallory, moves: Any, at: Any) -> Any:
        for kind, value, times in moves:
            if kind == _ASK:
                mallory.ask(value, times, at)
            elif kind == _TYPE:
                mallory.type(value, times, at)
            elif kind == _EXPIRE:
                identity.expire(at=at)
            else:
                at += timedelta(minutes=value)
                self.wait(value)
        return at

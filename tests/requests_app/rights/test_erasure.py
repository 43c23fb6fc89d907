"""An erasure from the click to the forgetting: restricted at once, closed only when every dataset is verified."""

from pathlib import Path
from typing import Any

import duckdb
import pytest
from django.test import Client

from consents import decisions, holds, subjects
from consents.evaluation import Question
from consents.models import Identifier, LedgerEvent, Partner, Purpose, Subject, Suppressed
from consents.vocabulary import Action, Kind
from downstream import exemptions, propagation, purging
from downstream.models import Dataset, Propagation, RemovalReceipt, Target
from downstream.propagation_states import Status as Run
from portal import audit
from portal.errors import Conflict
from portal.models import AuditEntry, User
from requests_app import progress, steps, tasks, workflow
from requests_app.models import Request
from requests_app.rights import erasure
from requests_app.states import Status
from tests.conftest import AT, BY, dataset_of, person, sequenced, write_parquet
from tests.consents.api.conftest import Caller
from tests.consents.asking import say, tables_as_text
from tests.downstream.api.test_propagations import acknowledge
from tests.downstream.copies import HOLDERS_SCOPES, copy_at
from tests.requests_app.asking import (
    LATER,
    SOON,
    asked,
    carried_out,
    closes,
    exempted,
    propagate,
    received,
    started,
    system,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_cache")]


@pytest.fixture
def datasets(alice: Subject, charlie: Subject, tmp_path: Path) -> list[Dataset]:
    """One keyed by account, one by address and of another purpose and owner, both verified."""
    posts = write_parquet(tmp_path / "posts", {"author": ["m_alice", "m_charlie", "m_alice"]})
    mails = write_parquet(tmp_path / "mails", {"author": ["charlie@example.org", "alice@example.org"]})
    taken = [
        dataset_of(posts),
        dataset_of(mails, slug="mails", purposes=("ai-training/affiliates",), owner="northlight"),
    ]
    Dataset.objects.filter(slug="mails").update(key_scheme="email")
    propagate()
    return taken


def authors(dataset: Dataset) -> list[str]:
    rows = duckdb.execute("SELECT author FROM read_parquet(?)", [f"{dataset.location}/*.parquet"]).fetchall()
    return [row[0] for row in rows]


def status(request: Request) -> str:
    request.refresh_from_db()
    return request.status


def test_it_closes_although_a_law_has_one_dataset_keep_the_rows(
    datasets: list[Dataset], alice: Subject, bob: User
) -> None:
    posts, mails = datasets
    request = started(alice, bob)
    exemptions.exempt(
        dataset=mails,
        subject_id=alice.pk,
        ground="legal_obligation",
        legal_ground="GDPR Art. 17(3)(b), HGB § 257",
        by="staff:1",
        seconded_by="staff:2",
        request_id=request.pk,
        at=SOON,
    )
    workflow.carry_out(request=request, by=BY, at=SOON)
    propagate()
    assert closes(request)
    assert authors(posts) == ["m_charlie"]
    assert authors(mails) == ["charlie@example.org", "alice@example.org"]
    assert not Identifier.objects.filter(subject_id=alice.pk).exists()
    assert RemovalReceipt.objects.get(subject_id=alice.pk).dataset_id == posts.pk


def test_carrying_it_out_denies_every_purpose_at_once(alice: Subject, charlie: Subject, bob: User) -> None:
    say(alice, Action.GRANT, "marketing")
    say(alice, Action.GRANT, "ai-training", recipient="northlight", category="posts")
    request = started(alice, bob)
    assert _decides(alice, "marketing")
    workflow.carry_out(request=request, by=BY, at=SOON)
    for purpose in Purpose.objects.all():
        for recipient, category in (("", ""), ("northlight", "posts"), ("linkwell", "")):
            assert not _decides(alice, purpose.slug, recipient, category)
            assert _decides(charlie, purpose.slug, recipient, category) == (purpose.slug != "marketing")


def _decides(subject: Subject, purpose: str, recipient: str = "", category: str = "") -> bool:
    question = Question(purpose, recipient, category)
    return decisions.decide(subject=subject, question=question, at=LATER).allow


def test_it_closes_consents_restricts_and_enters_the_log(alice: Subject, bob: User) -> None:
    say(alice, Action.GRANT, "marketing")
    say(alice, Action.DENY, "ai-training")
    request = carried_out(alice, bob)
    written = LedgerEvent.objects.filter(subject_id=alice.pk, recorded_at=SOON).order_by("pk")
    assert [(one.kind, one.purpose, one.action) for one in written] == [
        (Kind.CHOICE, "marketing", Action.WITHDRAW),
        (Kind.CHOICE, "", Action.RESTRICT),
        (Kind.ERASURE, "", ""),
    ]
    assert request.event_id == written[2].pk
    assert {one.actor for one in written} == {BY}


def test_it_closes_when_every_dataset_is_verified_and_not_before(
    datasets: list[Dataset], alice: Subject, bob: User
) -> None:
    request = carried_out(alice, bob, note="I moved")
    assert not closes(request)
    sequenced()
    assert not closes(request)
    first, second = propagation.plan(at=LATER)
    assert propagation.carry_out(propagation_id=first.pk, holder="test", clock=lambda: LATER)
    assert purging.carry_out(propagation_id=first.pk, holder="test", clock=lambda: LATER)
    assert not closes(request)
    assert status(request) == Status.IN_PROGRESS
    assert propagation.carry_out(propagation_id=second.pk, holder="test", clock=lambda: LATER)
    assert purging.carry_out(propagation_id=second.pk, holder="test", clock=lambda: LATER)
    assert closes(request)
    assert status(request) == Status.FULFILLED
    assert [authors(dataset) for dataset in datasets] == [["m_charlie"], ["charlie@example.org"]]
    assert request.closed_at == LATER
    assert request.timeline.last().code == "fulfilled"  # type: ignore[union-attr]
    assert AuditEntry.objects.filter(action="request.fulfilled").count() == 1
    assert closes(request)
    assert request.timeline.count() == 4


def test_while_one_dataset_has_stopped_it_stays_open(datasets: list[Dataset], alice: Subject, bob: User) -> None:
    request = carried_out(alice, bob)
    Path(datasets[1].location).rename(f"{datasets[1].location}-moved")
    assert sorted(propagate()) == [False, True]
    assert not closes(request)
    stopped = Propagation.objects.get(status=Run.STOPPED)
    Path(f"{datasets[1].location}-moved").rename(datasets[1].location)
    propagation.retry_now(propagation=stopped, by=BY, at=LATER)
    assert propagate() == [True]
    assert closes(request)


def test_while_a_dataset_cannot_name_the_person_it_stays_open(datasets: list[Dataset], bob: User) -> None:
    names = (subjects.name("email", "only@example.org"),)
    nameless = subjects.register(newcomer=subjects.Newcomer(names=names, jurisdiction="US"), by=BY, at=AT)
    request = carried_out(nameless, bob)
    assert propagate() == [True, True]
    assert Target.objects.filter(is_gap=True, subject_id=nameless.pk).count() == 1
    assert not closes(request)
    task = request.tasks.get(dataset__slug="posts")
    assert (task.kind, task.status, task.instructions) == ("manual", "open", progress.GAP)
    Dataset.objects.filter(slug="posts").update(retired_at=LATER)
    assert not closes(request)
    steps.settle_by_hand(task=task, evidence="Nobody of that address ever had an account.", by=BY, at=LATER)
    assert closes(request)


def test_a_dataset_that_is_taken_in_meanwhile_is_waited_for(
    datasets: list[Dataset], alice: Subject, bob: User, tmp_path: Path
) -> None:
    request = carried_out(alice, bob)
    propagate()
    late = dataset_of(write_parquet(tmp_path / "late", {"author": ["m_alice", "m_charlie"]}), slug="late")
    assert not closes(request)
    assert propagate() == [True]
    assert closes(request)
    assert authors(late) == ["m_charlie"]


def test_where_others_hold_the_data_it_closes_after_their_word(
    northlight: Partner, alice: Subject, charlie: Subject, bob: User
) -> None:
    copy_at(northlight)
    propagate()
    request = carried_out(alice, bob)
    assert propagate() == [False]
    assert not closes(request)
    assert acknowledge(Caller(northlight, HOLDERS_SCOPES), Propagation.objects.get()).status_code == 200
    assert closes(request)
    assert status(request) == Status.FULFILLED
    assert not Identifier.objects.filter(subject_id=alice.pk).exists()


def test_a_no_of_somebody_else_does_not_keep_it_open_for_long(
    datasets: list[Dataset], alice: Subject, charlie: Subject, bob: User
) -> None:
    request = carried_out(alice, bob)
    propagate()
    say(charlie, Action.DENY)
    assert closes(request)


def test_without_any_dataset_it_closes_once_it_has_its_place_in_the_log(alice: Subject, bob: User) -> None:
    request = carried_out(alice, bob)
    assert not closes(request)
    sequenced()
    assert closes(request)


def test_what_was_not_carried_out_does_not_close(alice: Subject, bob: User) -> None:
    sequenced()
    assert not closes(started(alice, bob))


def test_afterwards_nothing_names_the_person(
    datasets: list[Dataset], alice: Subject, charlie: Subject, bob: User, signed_in: Any
) -> None:
    browser: Client = signed_in(alice)
    assert browser.get("/choices/").status_code == 200
    account = alice.account
    assert account is not None
    request = carried_out(alice, bob, note="I moved from 7 Acacia Road")
    propagate()
    assert closes(request)
    alice.refresh_from_db()
    request.refresh_from_db()
    assert (alice.erased_at, alice.wrapped_key, alice.account) == (LATER, None, None)
    assert (request.sealed_note, request.closed_at) == (None, LATER)
    assert not Identifier.objects.filter(subject=alice).exists()
    assert not User.objects.filter(pk=account.pk).exists()
    stored = tables_as_text()
    for personal in ("m_alice", "alice@example.org", "Acacia"):
        assert personal not in stored
        assert personal.encode().hex() not in stored
    assert "m_charlie" in stored
    # the open session is nobody's now
    assert browser.get("/choices/").status_code == 302
    assert browser.get(f"/requests/{request.reference}/").status_code == 302
    # what proves it stays
    assert sorted(RemovalReceipt.objects.filter(subject_id=alice.pk).values_list("rows_removed", flat=True)) == [1, 2]


def test_afterwards_no_code_is_sent_to_the_address(
    alice: Subject, charlie: Subject, bob: User, mailoutbox: list[Any]
) -> None:
    request = carried_out(alice, bob)
    propagate()
    assert closes(request)
    answer = Client().post("/account/login/code/", {"email": "alice@example.org"})
    assert answer.status_code in {200, 302}
    assert not [mail for mail in mailoutbox if any(word.isdigit() and len(word) > 3 for word in mail.body.split())]
    assert subjects.find(subjects.name("email", "alice@example.org")) is None


def test_afterwards_the_person_is_not_taken_in_again(alice: Subject, bob: User) -> None:
    request = carried_out(alice, bob)
    propagate()
    assert closes(request)
    for names in (("account", "m_alice"), ("email", "Alice@Example.org")):
        newcomer = subjects.Newcomer(names=(subjects.name(*names),), jurisdiction="US")
        with pytest.raises(Conflict, match="asked to be forgotten"):
            subjects.register(newcomer=newcomer, by=BY, at=LATER)
        assert subjects.was_erased(subjects.name(*names))
    assert Suppressed.objects.count() == 2
    with pytest.raises(Conflict, match="was erased"):
        say(alice, Action.GRANT, at=LATER)


def test_afterwards_no_run_looks_for_the_person(datasets: list[Dataset], alice: Subject, bob: User) -> None:
    request = carried_out(alice, bob)
    propagate()
    assert closes(request)
    holds.open(scope=holds.HoldScope(), reason="asked to", by=BY, at=LATER)
    head = sequenced()
    propagation.plan(at=LATER)
    assert Propagation.objects.open().count() == 2
    assert not Target.objects.filter(propagation__to_position=head, subject_id=alice.pk).exists()


def test_a_failed_trace_forgets_nobody(
    datasets: list[Dataset], alice: Subject, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = carried_out(alice, bob)
    propagate()

    def refuse(**_: object) -> None:
        raise RuntimeError("no trace")

    with monkeypatch.context() as patched:
        patched.setattr(audit, "record", refuse)
        with pytest.raises(RuntimeError, match="no trace"):
            closes(request)
    alice.refresh_from_db()
    assert alice.wrapped_key is not None
    assert Identifier.objects.filter(subject=alice).count() == 2
    assert status(request) == Status.IN_PROGRESS
    assert closes(request)


def test_the_turn_closes_what_has_arrived_and_leaves_the_rest(
    datasets: list[Dataset], alice: Subject, charlie: Subject, bob: User
) -> None:
    done = carried_out(alice, bob)
    propagate()
    waiting, raw = carried_out(charlie, bob), received(person("dave"))
    tasks.close_verified()
    assert [status(one) for one in (done, waiting, raw)] == [Status.FULFILLED, Status.IN_PROGRESS, Status.RECEIVED]


def test_one_that_cannot_be_closed_does_not_keep_the_others_open(
    alice: Subject, charlie: Subject, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, fine = carried_out(alice, bob), carried_out(charlie, bob)
    propagate()
    honest = erasure.finish

    def finish(*, request: Request, **given: Any) -> None:
        if request.subject_id == alice.pk:
            raise RuntimeError("no key")
        honest(request=request, **given)

    monkeypatch.setattr(erasure, "finish", finish)
    with pytest.raises(RuntimeError, match="no key"):
        tasks.close_verified()
    assert (status(broken), status(fine)) == (Status.IN_PROGRESS, Status.FULFILLED)


def test_its_stops_are_every_living_dataset(datasets: list[Dataset], alice: Subject, bob: User) -> None:
    request = carried_out(alice, bob)
    stops = erasure.stops(request, at=LATER)
    assert [(one.dataset.slug, one.state) for one in stops] == [("mails", "waiting"), ("posts", "waiting")]
    propagate()
    stops = erasure.stops(request, at=LATER)
    assert [(one.state, one.rows_removed) for one in stops] == [("removed", 1), ("removed", 2)]


def test_each_dataset_and_system_is_a_task_that_keeps_it_open(
    datasets: list[Dataset], alice: Subject, bob: User
) -> None:
    system("erasure")
    request = carried_out(alice, bob)
    propagate()
    assert not closes(request)
    found = {one.dataset.slug if one.dataset else str(one.system_id): one for one in request.tasks.all()}
    assert {name: one.kind for name, one in found.items()} == {
        "posts": "automatic",
        "mails": "automatic",
        "crm": "manual",
    }
    steps.settle_by_hand(task=found["crm"], evidence="Deleted there, ticket 7.", by=BY, at=LATER)
    assert closes(request)
    assert status(request) == Status.FULFILLED


def test_what_two_people_exempt_does_not_keep_it_open(datasets: list[Dataset], alice: Subject, bob: User) -> None:
    request = started(alice, bob)
    Path(datasets[1].location).rename(f"{datasets[1].location}-moved")
    exempted(request.tasks.get(dataset=datasets[1]))
    workflow.carry_out(request=request, by=BY, at=SOON)
    propagate()
    assert closes(request)
    assert status(request) == Status.PARTIALLY_FULFILLED
    alice.refresh_from_db()
    assert alice.erased_at == LATER


def test_who_wants_to_see_their_data_sees_it_first(alice: Subject, bob: User) -> None:
    seen, request = asked(alice, "access")[0], started(alice, bob)
    with pytest.raises(Conflict) as waits:
        workflow.carry_out(request=request, by=BY, at=SOON)
    assert waits.value.code == "answer_first"
    workflow.withdraw(request=seen, by=BY, at=SOON)
    assert workflow.carry_out(request=request, by=BY, at=SOON).carried_out_at == SOON


def test_whatever_else_they_asked_is_closed_with_it(alice: Subject, bob: User) -> None:
    other = asked(alice, "rectification", note="My name is Alice")[0]
    first = carried_out(alice, bob, note="I moved")
    second = asked(alice, "erasure", note="I said so")[0]
    propagate()
    assert closes(first)
    assert [status(one) for one in (other, second)] == [Status.WITHDRAWN, Status.FULFILLED]
    assert list(other.timeline.values_list("code", flat=True))[-2:] == ["moot_after_erasure", "withdrawn"]
    assert not Request.objects.filter(subject=alice, sealed_note__isnull=False).exists()

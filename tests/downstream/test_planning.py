"""Who must leave a dataset, by what the log says between two positions."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from consents import amendments, decisions, evaluation, holds, ledger, notice_turns, notices, rules, sequencer, subjects
from consents.models import Subject
from consents.rules import Proposal
from consents.vocabulary import Action, Kind
from downstream import arrivals, leaving, propagation
from downstream.models import Dataset, Propagation, RemovalReceipt, Target
from portal.models import AuditEntry
from tests.conftest import AT, BY, OTHER, dataset_of, person, sequenced, write_parquet
from tests.downstream.acting import LATER, authors, planned, removed, run_all, say

pytestmark = pytest.mark.django_db(transaction=True)

MUCH_LATER = AT + timedelta(days=1)


def folder_of(tmp_path: Path, *names: str, called: str = "rows") -> Path:
    return write_parquet(tmp_path / called, {"author": [f"m_{name}" for name in names]})


def enact(default: str, *places: str, purpose: str = "ai-training") -> None:
    for place in places:
        proposal = Proposal(
            jurisdiction=place,
            purpose=purpose,
            legal_basis="legitimate_interest",
            default=default,
            explanation="Changed.",
            source="test",
            effective_from=LATER,
        )
        rules.enact(proposal=proposal, by=BY, at=LATER)
    sequenced()


def hold(*places: str, purposes: tuple[str, ...] = (), recipients: tuple[str, ...] = ()) -> Any:
    scope = holds.HoldScope(list(purposes), list(places), list(recipients))
    opened = holds.open(scope=scope, reason="asked to", by=BY, at=LATER)
    sequenced()
    return opened


def behind(dataset: Dataset) -> int:
    dataset.refresh_from_db()
    return sequencer.head() - dataset.position


def test_a_hold_on_a_group_takes_the_people_of_its_countries(world: None, tmp_path: Path) -> None:
    for name, place in (("gail", "GB"), ("cora", "US-CA"), ("noor", "NO"), ("ida", "IE"), ("chris", "CH")):
        person(name, place)
    names = ("gail", "cora", "noor", "ida", "chris")
    dataset = dataset_of(
        folder_of(tmp_path, *names), slug="given", purposes=("ai-training/affiliates",), owner="northlight"
    )
    sequenced()
    run_all()
    assert len(authors(dataset)) == 5
    hold("EEA")
    assert run_all() == [True]
    assert authors(dataset) == ["m_gail", "m_cora", "m_chris"]
    hold("US")
    assert run_all() == [True]
    assert authors(dataset) == ["m_gail", "m_chris"]


def test_lifting_a_hold_brings_no_work(posts: Dataset) -> None:
    opened = hold("GB")
    run_all()
    holds.ask_to_lift(hold=opened, by=BY, at=LATER)
    holds.lift(hold=opened, by=OTHER, at=LATER)
    sequenced()
    assert propagation.plan(at=LATER) == []
    assert behind(posts) == 0


@pytest.mark.parametrize(
    ("purposes", "recipients"), [(("marketing",), ()), ((), ("northlight",)), (("ai-training/affiliates",), ())]
)
def test_a_hold_that_leaves_the_dataset_out_leaves_its_rows(
    posts: Dataset, purposes: tuple[str, ...], recipients: tuple[str, ...]
) -> None:
    hold(purposes=purposes, recipients=recipients)
    assert run_all() == []
    assert len(authors(posts)) == 5
    assert behind(posts) == 0


def test_a_hold_on_the_whole_purpose_reaches_datasets_of_its_parts(alice: Subject, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "alice", "zoe")
    dataset = dataset_of(folder, purposes=("ai-training/affiliates",), owner="northlight")
    hold(purposes=("ai-training",))
    assert run_all() == [True]
    assert authors(dataset) == ["m_zoe"]


def test_a_rule_that_turns_a_country_off_takes_its_people(posts: Dataset, alice: Subject) -> None:
    grace = person("grace", "GB")
    write_parquet(Path(posts.location), {"author": ["m_grace"], "text": ["g"]}, name="part-1.parquet")
    sequenced()
    run_all()
    assert "m_grace" in authors(posts)
    enact("deny", "GB")
    assert run_all() == [True]
    assert "m_grace" not in authors(posts)
    assert "m_alice" in authors(posts)
    assert (removed(grace), removed(alice)) == ([1], [])


def test_a_rule_that_turns_a_country_on_takes_nobody(world: None, tmp_path: Path) -> None:
    person("gail", "GB")
    dataset = dataset_of(folder_of(tmp_path, "gail"))
    sequenced()
    run_all()
    enact("deny", "FR")
    enact("allow", "DE", "*")
    assert run_all() == []
    assert authors(dataset) == ["m_gail"]
    assert behind(dataset) == 0


def test_a_rule_of_another_purpose_takes_nobody(posts: Dataset) -> None:
    enact("deny", "*", purpose="marketing")
    assert run_all() == []
    assert len(authors(posts)) == 5


def test_where_no_rule_speaks_at_all_everyone_known_leaves(posts: Dataset, alice: Subject, tmp_path: Path) -> None:
    rules.load(path=_extra_purpose(tmp_path), by=BY, at=AT)
    dataset = dataset_of(folder_of(tmp_path, "alice", "zoe"), slug="ranked", purposes=("ranking",))
    sequenced()
    run_all()
    assert authors(dataset) == ["m_zoe"]
    assert "m_alice" in authors(posts)


def _extra_purpose(tmp_path: Path) -> Path:
    book = tmp_path / "extra.toml"
    book.write_text(
        '[[purpose]]\nslug = "ranking"\nname = "R"\ndescription = "D"\ndpv_term = "dpv:X"\norder = 9\n'
        'categories = ["posts"]\nrecipients = ["linkwell"]\n'
    )
    return book


def test_a_dataset_that_serves_two_purposes_lets_go_of_whoever_refuses_one(alice: Subject, tmp_path: Path) -> None:
    dataset = dataset_of(folder_of(tmp_path, "alice", "zoe"), purposes=("ai-training", "ai-training/affiliates"))
    sequenced()
    assert run_all() == []
    say(alice, Action.DENY, "ai-training/affiliates")
    assert run_all() == [True]
    assert authors(dataset) == ["m_zoe"]


def test_a_no_to_a_part_leaves_the_datasets_of_the_whole(posts: Dataset, alice: Subject) -> None:
    say(alice, Action.DENY, "ai-training/affiliates")
    assert run_all() == []
    assert authors(posts).count("m_alice") == 2


def test_a_no_to_one_recipient_reaches_its_datasets_alone(posts: Dataset, alice: Subject, tmp_path: Path) -> None:
    given = dataset_of(folder_of(tmp_path, "alice", "zoe"), slug="given", owner="northlight")
    sequenced()
    run_all()
    say(alice, Action.DENY, recipient="northlight")
    assert run_all() == [True]
    assert authors(given) == ["m_zoe"]
    assert authors(posts).count("m_alice") == 2
    assert (behind(posts), behind(given)) == (0, 0)


def test_a_no_to_one_category_reaches_its_datasets_alone(posts: Dataset, alice: Subject, tmp_path: Path) -> None:
    about = {}
    for category in ("posts", "profile"):
        about[category] = dataset_of(
            folder_of(tmp_path, "alice", "zoe", called=f"of-{category}"), slug=f"of-{category}"
        )
        Dataset.objects.filter(pk=about[category].pk).update(category=category)
    sequenced()
    run_all()
    say(alice, Action.DENY, category="profile")
    assert run_all() == [True]
    assert authors(about["profile"]) == ["m_zoe"]
    assert "m_alice" in authors(about["posts"])
    # a dataset of mixed data is asked about as a whole
    assert "m_alice" in authors(posts)


def test_what_concerns_nobody_moves_the_position_on_without_work(posts: Dataset, alice: Subject) -> None:
    before = Propagation.objects.count()
    say(alice, Action.GRANT, "marketing")
    person("dave")
    enact("allow", "US")
    assert propagation.plan(at=LATER) == []
    assert behind(posts) == 0
    assert Propagation.objects.count() == before
    assert propagation.plan(at=LATER) == []


def test_people_who_come_later_leave_where_it_is_off_and_stay_where_it_is_on(posts: Dataset) -> None:
    write_parquet(Path(posts.location), {"author": ["m_dora", "m_una"], "text": ["d", "u"]}, name="part-1.parquet")
    dora, una = person("dora", "DE"), person("una", "US")
    sequenced()
    assert run_all() == [True]
    assert "m_una" in authors(posts)
    assert "m_dora" not in authors(posts)
    assert (removed(dora), removed(una)) == ([1], [])


@pytest.fixture
def decided(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Whom a decision was made about, and in which transaction that writes, if any."""
    seen: list[Any] = []
    evaluate = evaluation.evaluate

    def watched(subject: Any, *given: Any) -> Any:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_current_xact_id_if_assigned()")
            seen.append((subject.pk, cursor.fetchone()[0]))
        return evaluate(subject, *given)

    monkeypatch.setattr(decisions, "evaluate", watched)
    return seen


def test_a_newcomer_is_decided_about_alone_and_holds_the_log_up_for_nobody(posts: Dataset, decided: list[Any]) -> None:
    person("dan", "DE")
    sequenced()
    run_all()
    decided.clear()
    dora = person("dora", "DE")
    sequenced()
    assert planned().targets.get().subject_id == dora.pk
    assert decided == [(dora.pk, None)]


def test_a_dataset_that_changed_while_it_was_decided_is_left_to_the_next_turn(
    posts: Dataset, alice: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(alice, Action.DENY)
    people = leaving.people

    def meanwhile(dataset: Dataset, **stretch: Any) -> Any:
        found = people(dataset, **stretch)
        Dataset.objects.filter(pk=dataset.pk).update(category="profile")
        return found

    monkeypatch.setattr(leaving, "people", meanwhile)
    assert propagation.plan(at=LATER) == []
    assert behind(posts) == 1
    monkeypatch.undo()
    assert planned().targets.get().subject_id == alice.pk


def test_whoever_the_dataset_cannot_name_is_a_gap_beside_those_it_can(posts: Dataset, alice: Subject) -> None:
    newcomer = subjects.Newcomer(names=(subjects.name("email", "only@example.org"),), jurisdiction="US")
    nameless = subjects.register(newcomer=newcomer, by=BY, at=AT)
    say(nameless, Action.DENY)
    head = say(alice, Action.DENY)
    assert run_all() == [True]
    assert dict(Target.objects.values_list("subject_id", "is_gap")) == {nameless.pk: True, alice.pk: False}
    assert removed(alice) == [2]
    assert not propagation.arrived(subject_id=nameless.pk, position=head)
    assert propagation.arrived(subject_id=alice.pk, position=head)


def test_rows_under_each_name_of_a_person_leave(alice: Subject, tmp_path: Path) -> None:
    names = [subjects.name("account", value) for value in ("m_old", "m_new")]
    amendments.link(subject=alice, names=names, by=BY, at=AT)
    dataset = dataset_of(folder_of(tmp_path, "alice", "old", "zoe", "new", "new"))
    say(alice, Action.DENY)
    assert run_all() == [True]
    assert authors(dataset) == ["m_zoe"]
    assert removed(alice) == [4]


def test_a_dataset_keyed_by_address_finds_people_by_their_address(alice: Subject, tmp_path: Path) -> None:
    folder = write_parquet(tmp_path / "mail", {"author": ["alice@example.org", "zoe@example.org"]})
    dataset = dataset_of(folder)
    Dataset.objects.update(key_scheme="email")
    say(alice, Action.DENY)
    assert run_all() == [True]
    assert authors(dataset) == ["zoe@example.org"]


def test_a_retired_dataset_is_left_alone(posts: Dataset, alice: Subject) -> None:
    Dataset.objects.update(retired_at=AT)
    head = say(alice, Action.DENY)
    assert run_all() == []
    assert authors(posts).count("m_alice") == 2
    assert propagation.arrived(subject_id=alice.pk, position=head)


def test_a_no_from_a_machine_whose_clock_is_ahead_is_not_passed_over(posts: Dataset, alice: Subject) -> None:
    ahead = LATER + timedelta(seconds=30)
    say(alice, Action.DENY, at=ahead)
    assert run_all(at=LATER) == [True]
    assert "m_alice" not in authors(posts)


def test_nobody_leaves_for_being_registered_by_a_clock_that_is_ahead(posts: Dataset) -> None:
    write_parquet(Path(posts.location), {"author": ["m_early"], "text": ["e"]}, name="part-1.parquet")
    person("early", at=LATER + timedelta(seconds=30))
    sequenced()
    assert run_all(at=LATER) == []
    assert "m_early" in authors(posts)


def test_one_dataset_that_cannot_be_planned_does_not_hold_the_others_up(
    posts: Dataset, alice: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = dataset_of(folder_of(tmp_path, "alice"), slug="a-broken")
    say(alice, Action.DENY)
    honest = propagation._deadline

    def deadline(dataset: Dataset, **given: Any) -> Any:
        if dataset.pk == broken.pk:
            raise RuntimeError("broken")
        return honest(dataset, **given)

    monkeypatch.setattr(propagation, "_deadline", deadline)
    with pytest.raises(RuntimeError, match="broken"):
        propagation.plan(at=LATER)
    assert [run.dataset for run in Propagation.objects.open()] == [posts]


def test_whoever_was_forgotten_is_not_planned_again(posts: Dataset) -> None:
    dora = person("dora", "DE")
    sequenced()
    run_all()
    subjects.forget(subject=dora, by=BY, at=LATER)
    enact("deny", "DE")
    hold("EEA")
    assert propagation.plan(at=LATER) == []
    assert not Target.objects.filter(is_gap=True).exists()


def test_whoever_is_forgotten_between_plan_and_run_gets_no_receipt_for_a_look_that_nobody_took(
    posts: Dataset, alice: Subject, charlie: Subject
) -> None:
    say(charlie, Action.DENY)
    say(alice, Action.DENY)
    planned()
    subjects.forget(subject=alice, by=BY, at=LATER)
    assert run_all() == [True]
    assert removed(charlie) == [1]
    assert removed(alice) == []


def test_an_erasure_in_the_log_reaches_a_dataset_whatever_it_serves(alice: Subject, tmp_path: Path) -> None:
    dataset = dataset_of(folder_of(tmp_path, "alice", "zoe"), purposes=("ai-training",))
    sequenced()
    run_all()
    ledger.append(kind=Kind.ERASURE, by=BY, at=LATER, details={}, subject=alice)
    sequenced()
    assert run_all() == [True]
    assert authors(dataset) == ["m_zoe"]


def test_the_deadline_runs_from_the_oldest_no_that_waits(posts: Dataset, alice: Subject) -> None:
    say(alice, Action.DENY, at=LATER)
    run = planned(at=MUCH_LATER)
    assert run.deadline == LATER + timedelta(hours=posts.deadline_hours)
    assert not run.is_late(run.deadline)
    assert run.is_late(run.deadline + timedelta(seconds=1))


def test_a_run_is_in_the_audit_trail_from_plan_to_verification(posts: Dataset, alice: Subject) -> None:
    say(alice, Action.DENY)
    run_all()
    run = Propagation.objects.latest("to_position")
    entries = AuditEntry.objects.filter(object_type="propagation", object_id=str(run.pk)).order_by("pk")
    assert [entry.action for entry in entries] == ["propagation.plan", "propagation.verify"]
    assert [entry.actor for entry in entries] == ["system:heed"] * 2
    assert RemovalReceipt.objects.get(subject_id=alice.pk).propagation_id == run.pk


@pytest.mark.parametrize("waits", ["for its publication", "for its effect"])
def test_a_notice_that_begins_to_count_takes_out_those_whose_days_begin_anew(
    posts: Dataset, alice: Subject, waits: str
) -> None:
    begins = AT + timedelta(days=5)
    published = begins if waits == "for its publication" else LATER
    changed = notices.Draft("ai-training", {"en": ("How", "Anew")}, published_at=published, effective_at=begins)
    notices.publish(draft=changed, by=BY, at=LATER)
    sequenced()
    assert propagation.plan(at=LATER) == []
    assert notice_turns.tell(at=begins) == 1
    sequenced()
    assert planned(at=begins).targets.filter(subject_id=alice.pk).exists()


class TestAWindow:
    """What is said in ten minutes is carried out in one run."""

    @pytest.fixture
    def gathering(self, posts: Dataset) -> Dataset:
        posts.window_minutes = 10
        posts.save()
        return posts

    def test_nothing_is_planned_while_it_is_open_and_then_all_at_once(
        self, gathering: Dataset, alice: Subject, charlie: Subject
    ) -> None:
        say(alice, Action.DENY)
        assert propagation.plan(at=LATER + timedelta(minutes=5)) == []
        say(charlie, Action.DENY, at=LATER + timedelta(minutes=5))
        assert propagation.plan(at=LATER + timedelta(minutes=10, seconds=-1)) == []
        (run,) = propagation.plan(at=LATER + timedelta(minutes=10))
        assert {target.subject_id for target in run.targets.all()} == {alice.pk, charlie.pk}
        assert run.deadline == LATER + timedelta(hours=24)

    def test_somebody_who_wants_it_now_does_not_wait(self, gathering: Dataset, alice: Subject) -> None:
        say(alice, Action.DENY)
        assert len(propagation.plan(at=LATER, gathers=False)) == 1

    def test_files_that_came_in_do_not_wait(self, gathering: Dataset, alice: Subject, charlie: Subject) -> None:
        say(alice, Action.DENY)
        write_parquet(Path(gathering.location), {"author": ["m_alice"], "text": ["again"]}, name="more.parquet")
        arrivals.look_around(at=LATER)
        assert len(propagation.plan(at=LATER)) == 1

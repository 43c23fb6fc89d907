"""Who left after a model learned from them is counted, decided about, and told of."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from consents import subjects
from consents.models import Partner, Subject
from consents.vocabulary import Action
from downstream import exposures, training_runs
from downstream.exposures import Decision
from downstream.models import Dataset, ExposureDecision, TrainedModel, TrainingRun
from portal.errors import Conflict
from portal.models import AuditEntry
from tests.conftest import AT, BY
from tests.downstream.acting import authors, say
from tests.downstream.training import caught_up, grown, looked_again, ready, trained

pytestmark = pytest.mark.django_db(transaction=True)

NOW = AT + timedelta(hours=1)
IN_A_MONTH = (NOW + timedelta(days=30)).date()
RETRAIN = Decision(kind="retrain", due_on=IN_A_MONTH)


@pytest.fixture
def posts(alice: Subject, charlie: Subject, grace: Subject, acme: Partner, tmp_path: Path) -> Dataset:
    return ready(tmp_path, authors=("m_alice", "m_alice", "m_charlie", "m_grace"))


def leave(dataset: Dataset, *people: Subject) -> None:
    for one in people:
        say(one, Action.DENY)
    caught_up(dataset)


def standing(name: str = "writer", **later: Any) -> exposures.Standing:
    (one,) = exposures.counted(TrainedModel.objects.filter(name=name))
    return exposures.standing(one, at=NOW + timedelta(**later))


def decide(decision: Decision) -> ExposureDecision:
    return exposures.decide(model=TrainedModel.objects.get(), decision=decision, by=BY, at=NOW)


class TestCounting:
    def test_who_left_after_the_version_is_exposed_and_who_left_before_is_not(
        self, posts: Dataset, alice: Subject, charlie: Subject, grace: Subject, acme: Partner
    ) -> None:
        leave(posts, grace)
        trained(posts, partner=acme, at=NOW)
        assert (standing().state, standing().exposed) == ("none", 0)
        leave(posts, alice)
        leave(posts, charlie)
        assert (standing().state, standing().exposed) == ("open", 2)

    def test_who_was_not_in_it_is_not(self, posts: Dataset, acme: Partner, tmp_path: Path, grace: Subject) -> None:
        other = ready(tmp_path, "other", authors=("m_alice",))
        trained(other, partner=acme, at=NOW)
        leave(posts, grace)
        assert standing().exposed == 0

    def test_one_person_in_two_datasets_is_one_person(
        self, posts: Dataset, acme: Partner, tmp_path: Path, alice: Subject
    ) -> None:
        other = ready(tmp_path, "other", authors=("m_alice",))
        run = trained(posts, partner=acme, at=NOW)
        training_runs.add_inputs(run, other.versions.values_list("pk", flat=True), named_by="lineage")
        leave(posts, alice)
        assert standing().exposed == 1

    def test_who_left_before_files_came_in_is_not_and_who_is_found_in_them_is(
        self, posts: Dataset, acme: Partner, alice: Subject, grace: Subject
    ) -> None:
        leave(posts, alice, grace)
        # without a permit: there is none for what nobody has looked through
        run = trained(posts, partner=acme, at=NOW)
        run.inputs.all().delete()
        training_runs.add_inputs(run, [grown(posts, "m_grace", at=NOW).pk], named_by="lineage")
        assert standing().exposed == 0, "Alice and Grace left before this version"
        caught_up(posts)
        assert standing().exposed == 1
        assert [one.version for one in exposures.of_person(grace.pk)] == [3]
        assert exposures.of_person(alice.pk) == []

    def test_files_that_came_in_may_have_been_there_unnoticed(
        self, posts: Dataset, acme: Partner, alice: Subject
    ) -> None:
        leave(posts, alice)
        trained(posts, partner=acme, at=NOW)
        grown(posts, "m_alice", at=NOW)
        caught_up(posts)
        assert standing().exposed == 1

    def test_of_versions_of_the_same_content_the_later_run_counts(
        self, posts: Dataset, acme: Partner, alice: Subject
    ) -> None:
        for _ in range(2):
            assert looked_again(posts).manifest_digest == posts.versions.get(number=1).manifest_digest
        run = trained(posts, partner=acme, at=NOW)
        training_runs.add_inputs(run, [posts.versions.get(number=1).pk], named_by="lineage")
        leave(posts, alice)
        assert standing().exposed == 1
        assert len(exposures.of_person(alice.pk)) == 1

    def test_people_who_were_erased_are_in_no_count(
        self, posts: Dataset, acme: Partner, alice: Subject, grace: Subject
    ) -> None:
        """Of rows that are found by a fingerprint nobody knows whose they were, nor how many people."""
        leave(posts, alice)
        subjects.forget(subject=alice, by=BY, at=NOW)
        run = trained(posts, partner=acme, at=NOW)
        run.inputs.all().delete()
        training_runs.add_inputs(run, [grown(posts, "m_alice", "m_grace", at=NOW).pk], named_by="lineage")
        leave(posts, grace)
        assert "m_alice" not in authors(posts)
        assert standing().exposed == 1

    def test_a_run_that_has_not_finished_made_nothing(self, posts: Dataset, acme: Partner, alice: Subject) -> None:
        trained(posts, partner=acme, at=NOW)
        TrainingRun.objects.update(finished_at=None)
        leave(posts, alice)
        assert standing().exposed == 0

    def test_a_model_that_is_trained_anew_has_forgotten_and_one_that_goes_on_has_not(
        self, posts: Dataset, acme: Partner, alice: Subject
    ) -> None:
        trained(posts, partner=acme, at=NOW)
        leave(posts, alice)
        trained(posts, partner=acme, at=NOW + timedelta(minutes=1), continues=True)
        assert standing().exposed == 1
        trained(posts, partner=acme, at=NOW + timedelta(minutes=2))
        assert standing().exposed == 0

    def test_many_models_cost_no_query_more(
        self, posts: Dataset, acme: Partner, alice: Subject, django_assert_num_queries: Any
    ) -> None:
        for number in range(6):
            trained(posts, partner=acme, at=NOW, model=f"model-{number}")
        leave(posts, alice)
        with django_assert_num_queries(2):
            found = [exposures.standing(one, at=NOW).exposed for one in exposures.counted(TrainedModel.objects.all())]
        assert found == [1] * 6


class TestDeciding:
    @pytest.fixture(autouse=True)
    def exposed(self, posts: Dataset, acme: Partner, alice: Subject) -> None:
        trained(posts, partner=acme, at=NOW)
        leave(posts, alice)

    def test_a_decision_stands_until_more_people_leave(self, posts: Dataset, grace: Subject) -> None:
        row = decide(RETRAIN)
        assert (row.exposed, standing().state, exposures.waiting(at=NOW)) == (1, "decided", (0, 0))
        leave(posts, grace)
        assert standing().state == "grown"
        assert exposures.waiting(at=NOW) == (1, 0)
        decide(Decision(kind="accepted", ground="Two rows of millions", legal_ground="GDPR Art. 21(1)"))
        assert standing().state == "decided"

    def test_past_its_day_it_is_late_until_it_is_done(self, posts: Dataset, acme: Partner) -> None:
        decide(RETRAIN)
        assert standing(days=30).state == "decided"
        assert standing(days=31).state == "late"
        assert exposures.waiting(at=NOW + timedelta(days=31)) == (0, 1)
        trained(posts, partner=acme, at=NOW + timedelta(days=1))
        assert standing(days=31).state == "none"

    def test_a_retired_model_is_done_with(self) -> None:
        decide(Decision(kind="retire", due_on=NOW.date()))
        training_runs.retire(model=TrainedModel.objects.get(), by=BY, at=NOW)
        assert standing(days=9).state == "done"
        assert exposures.waiting(at=NOW + timedelta(days=9)) == (0, 0)
        with pytest.raises(Conflict, match="retired"):
            training_runs.retire(model=TrainedModel.objects.get(), by=BY, at=NOW)
        with pytest.raises(Conflict, match="retired"):
            decide(RETRAIN)

    def test_after_a_new_training_it_is_decided_anew(self, posts: Dataset, acme: Partner, grace: Subject) -> None:
        decide(RETRAIN)
        trained(posts, partner=acme, at=NOW + timedelta(days=1))
        leave(posts, grace)
        assert (standing().state, standing().exposed, standing().decision) == ("open", 1, None)

    def test_nobody_exposed_leaves_nothing_to_decide(self, posts: Dataset, acme: Partner) -> None:
        trained(posts, partner=acme, at=NOW + timedelta(days=1))
        with pytest.raises(Conflict, match="Nobody"):
            decide(RETRAIN)

    @pytest.mark.parametrize(
        ("decision", "code"),
        [
            (Decision(kind="forget"), "unknown_kind"),
            (Decision(kind="retrain"), "day_missing"),
            (Decision(kind="retire", due_on=(NOW - timedelta(days=1)).date()), "day_in_the_past"),
            (Decision(kind="accepted", ground=" ", legal_ground="x"), "ground_missing"),
            (Decision(kind="accepted", ground="x"), "legal_ground_missing"),
            (Decision(kind="accepted", ground="x", legal_ground="x", due_on=IN_A_MONTH), "day_without_deed"),
        ],
    )
    def test_half_a_decision_is_refused(self, decision: Decision, code: str) -> None:
        with pytest.raises(exposures.ExposureError) as error:
            decide(decision)
        assert error.value.code == code
        assert not ExposureDecision.objects.exists()

    def test_it_is_in_the_audit_trail(self) -> None:
        decide(RETRAIN)
        entry = AuditEntry.objects.get(action="exposure.decide")
        assert (entry.actor, entry.details["exposed"]) == (BY, 1)


class TestTelling:
    def test_a_person_is_told_which_models_learned_from_them(
        self, posts: Dataset, acme: Partner, alice: Subject, charlie: Subject
    ) -> None:
        trained(posts, partner=acme, at=NOW)
        leave(posts, alice)
        (told,) = exposures.of_person(alice.pk)
        assert (told.model.name, told.dataset, told.version, told.finished_at) == ("writer", "Posts", 1, NOW)
        assert (told.decision, told.purposes) == (None, ("ai-training",))
        assert exposures.of_person(charlie.pk) == []
        decide(RETRAIN)
        assert exposures.of_person(alice.pk)[0].decision == ExposureDecision.objects.get()
        trained(posts, partner=acme, at=NOW + timedelta(days=1))
        assert exposures.of_person(alice.pk) == []

    def test_it_costs_a_fixed_number_of_queries(
        self, posts: Dataset, acme: Partner, alice: Subject, django_assert_max_num_queries: Any
    ) -> None:
        for number in range(5):
            trained(posts, partner=acme, at=NOW, model=f"model-{number}")
        leave(posts, alice)
        with django_assert_max_num_queries(3):
            assert len(exposures.of_person(alice.pk)) == 5

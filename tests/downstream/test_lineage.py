"""From what runs report to which dataset versions are in which model, in whatever order it is told."""

import itertools
import random
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consents.models import Partner, Subject
from downstream import lineage, openlineage
from downstream.models import (
    Dataset,
    LineageEvent,
    LineageNode,
    LineageRun,
    RunInput,
    TrainedModel,
    TrainingRun,
)
from downstream.openlineage import EventError
from portal.models import AuditEntry
from tests.conftest import AT
from tests.downstream import events
from tests.downstream.events import event, facet, heed, named
from tests.downstream.training import ask, finish, grown, held_by_another, looked_again, permitted, ready

pytestmark = pytest.mark.django_db(transaction=True)

NOW = AT + timedelta(hours=1)
OVERWRITES = facet(lifecycleStateChange="OVERWRITE")


@pytest.fixture
def posts(alice: Subject, charlie: Subject, acme: Partner, tmp_path: Path) -> Dataset:
    return ready(tmp_path)


def hear(*sent: dict[str, Any]) -> list[bool]:
    return [
        lineage.take_in(event=openlineage.read(one), partner="acme", owners=["", "linkwell", "northlight"], at=NOW)
        for one in sent
    ]


def minute(number: int) -> datetime:
    return AT + timedelta(minutes=number)


def story(start: int, *, inputs: list[dict[str, Any]], outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A run of one minute."""
    run = uuid.uuid4()
    return [
        event("START", minute(start), run=run, inputs=inputs),
        event("COMPLETE", minute(start + 1), run=run, inputs=inputs, outputs=outputs),
    ]


def learned(name: str = "writer") -> list[int]:
    """The versions in the model's latest finished run, by number."""
    run = TrainingRun.objects.filter(model__name=name, finished_at__isnull=False).order_by("-finished_at").first()
    return sorted(run.inputs.values_list("version__number", flat=True)) if run else []


def test_a_run_from_a_dataset_to_a_model_is_a_training_run(posts: Dataset) -> None:
    hear(*story(1, inputs=[named("file", posts.location)], outputs=[heed("model/writer")]))
    run = TrainingRun.objects.get()
    assert (run.model.name, run.model.owner_id, run.finished_at) == ("writer", "linkwell", minute(2))
    assert learned() == [1]
    assert RunInput.objects.get().named_by == RunInput.LINEAGE
    assert AuditEntry.objects.filter(action="lineage.take_in", actor="partner:acme").count() == 2


def test_a_run_that_is_under_way_or_failed_has_made_nothing(posts: Dataset) -> None:
    first, last = story(1, inputs=[heed("posts")], outputs=[heed("model/writer")])
    hear(first, {**last, "eventType": "FAIL"})
    assert TrainingRun.objects.get().finished_at is None
    assert learned() == []


@pytest.mark.parametrize("order", list(itertools.permutations(range(4)))[::5])
def test_what_lies_between_is_followed_in_whatever_order_it_is_told(posts: Dataset, order: tuple[int, ...]) -> None:
    clean = story(1, inputs=[named("file", f"{posts.location}/part-0.parquet")], outputs=[named("s3://lake", "clean")])
    train = story(3, inputs=[named("s3://lake", "clean")], outputs=[heed("model/writer")])
    told = [*clean, *train]
    hear(*[told[place] for place in order])
    assert learned() == [1]
    assert LineageNode.objects.get(name="clean").dataset is None


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chance=st.randoms(use_true_random=False))
def test_any_story_ends_the_same_in_whatever_order_it_is_told(posts: Dataset, chance: random.Random) -> None:
    while posts.versions.count() < 4:
        grown(posts, at=minute(3 * posts.versions.count()))
    told = list(_any_story(chance))
    ends = []
    for _ in range(3):
        hear(*told)
        # in every run, not only the latest
        known = RunInput.objects.values_list("run__name", "version__number")
        ends.append(sorted(known))
        _forget()
        chance.shuffle(told)
    assert ends[0] == ends[1] == ends[2]


def _any_story(chance: random.Random) -> Iterator[dict[str, Any]]:
    """Eight runs between a dataset, three places and two models."""
    nodes = [heed("posts"), *(named("s3://lake", f"place-{one}") for one in range(3))]
    models = [heed("model/one"), heed("model/two")]
    for start in range(1, 9):
        kept = chance.choice([{}, {"lifecycleStateChange": OVERWRITES}])
        output = chance.choice([*nodes[1:], *models])
        yield from story(start * 2, inputs=chance.sample([*nodes, *models], 2), outputs=[{**output, "facets": kept}])


def _forget() -> None:
    """Everything that was heard; history, too, which only a test may."""
    with connection.cursor() as cursor:
        cursor.execute(
            "TRUNCATE downstream_lineageevent, downstream_lineagerun, downstream_lineageread, downstream_lineagewrite,"
            " downstream_lineagenode, downstream_runinput, downstream_trainingrun, downstream_trainedmodel CASCADE"
        )


def test_the_version_is_the_newest_at_the_runs_start(posts: Dataset) -> None:
    grown(posts, at=minute(10))
    hear(*story(1, inputs=[heed("posts")], outputs=[heed("model/early")]))
    hear(*story(20, inputs=[heed("posts")], outputs=[heed("model/late")]))
    assert (learned("early"), learned("late")) == ([1], [2])


def test_the_start_counts_also_when_it_is_told_last(posts: Dataset) -> None:
    grown(posts, at=minute(2))
    first, last = story(1, inputs=[heed("posts")], outputs=[heed("model/writer")])
    hear({**last, "eventTime": minute(5).isoformat()}, first)
    assert LineageRun.objects.get().started_at == minute(1)
    assert 1 in learned()


@pytest.mark.parametrize("stated", ["1", "digest", "sha256:digest"])
def test_a_version_that_the_sender_states_is_taken(posts: Dataset, stated: str) -> None:
    version = posts.versions.get()
    grown(posts, at=AT)
    word = stated.replace("digest", version.manifest_digest)
    source = heed("posts", version=facet(datasetVersion=word))
    hear(*story(1, inputs=[source], outputs=[heed("model/writer")]))
    assert learned() == [1]


def test_of_versions_of_one_digest_the_first_is_meant(posts: Dataset) -> None:
    version = looked_again(posts)
    assert posts.versions.filter(manifest_digest=version.manifest_digest).count() == 2
    source = heed("posts", version=facet(datasetVersion=version.manifest_digest))
    hear(*story(30, inputs=[source], outputs=[heed("model/writer")]))
    assert learned() == [1]


def test_what_somebody_else_holds_has_no_version_and_breaks_nothing(posts: Dataset, acme: Partner) -> None:
    remote = held_by_another()
    hear(*story(1, inputs=[heed("copy"), heed("posts")], outputs=[heed("model/writer")]))
    hear(*story(3, inputs=[heed("copy", version=facet(datasetVersion="1"))], outputs=[heed("model/other")]))
    assert (learned(), learned("other")) == ([1], [])
    assert LineageNode.objects.get(name="copy").dataset == remote
    assert TrainingRun.objects.filter(finished_at__isnull=False).count() == 2


def test_a_version_that_is_none_of_ours_is_passed_over(posts: Dataset) -> None:
    source = heed("posts", version=facet(datasetVersion="4582347650"))
    hear(*story(1, inputs=[source], outputs=[heed("model/writer")]))
    assert learned() == [1]


def test_what_was_replaced_is_no_longer_in_what_is_made_of_it(posts: Dataset) -> None:
    lake = named("s3://lake", "clean", lifecycleStateChange=OVERWRITES)
    hear(*story(1, inputs=[heed("posts")], outputs=[lake]))
    grown(posts, at=minute(10))
    hear(*story(11, inputs=[heed("posts")], outputs=[lake]))
    hear(*story(13, inputs=[lake], outputs=[heed("model/writer")]))
    assert learned() == [2]


def test_what_was_added_to_holds_all_that_went_in(posts: Dataset) -> None:
    lake = named("s3://lake", "clean")
    hear(*story(1, inputs=[heed("posts")], outputs=[lake]))
    grown(posts, at=minute(10))
    hear(*story(11, inputs=[heed("posts")], outputs=[lake]))
    hear(*story(13, inputs=[lake], outputs=[heed("model/writer")]))
    assert learned() == [1, 2]


def test_what_went_in_after_the_training_is_not_in_the_model(posts: Dataset) -> None:
    lake = named("s3://lake", "clean")
    hear(*story(1, inputs=[heed("posts")], outputs=[lake]))
    hear(*story(3, inputs=[lake], outputs=[heed("model/writer")]))
    grown(posts, at=minute(10))
    hear(*story(11, inputs=[heed("posts")], outputs=[lake]))
    assert learned() == [1]


def test_a_circle_of_runs_comes_to_an_end(posts: Dataset) -> None:
    one, other = named("s3://lake", "one"), named("s3://lake", "other")
    hear(*story(1, inputs=[heed("posts"), other], outputs=[one]))
    hear(*story(2, inputs=[one], outputs=[other, one]))
    hear(*story(5, inputs=[other], outputs=[heed("model/writer")]))
    assert learned() == [1]


def test_a_model_that_goes_on_from_another_has_what_that_learned(posts: Dataset, acme: Partner) -> None:
    finish(permitted(ask(posts, model="base"), partner=acme, at=AT).run, at=AT)
    hear(*story(1, inputs=[heed("model/base")], outputs=[heed("model/tuned")]))
    hear(*story(3, inputs=[heed("model/tuned")], outputs=[heed("model/tuned-twice")]))
    assert learned("tuned") == learned("tuned-twice") == [1]


def test_a_run_that_was_permitted_under_its_id_is_that_run(posts: Dataset, acme: Partner) -> None:
    told = story(1, inputs=[heed("posts"), named("s3://lake", "more")], outputs=[named("file", "/models/writer")])
    permit = permitted(ask(posts, run=told[0]["run"]["runId"]), partner=acme, at=AT)
    hear(*told)
    run = TrainingRun.objects.get()
    assert (run.pk, run.finished_at) == (permit.run_id, minute(2))
    assert RunInput.objects.get().named_by == RunInput.PERMIT
    # what it made can still be told
    assert finish(run, at=minute(3)).artefact_digest


def test_a_run_that_makes_two_models_is_a_training_of_each(posts: Dataset) -> None:
    hear(*story(1, inputs=[heed("posts")], outputs=[heed("model/encoder"), heed("model/decoder")]))
    assert (learned("encoder"), learned("decoder")) == ([1], [1])
    assert TrainingRun.objects.filter(finished_at=minute(2)).count() == 2


def test_what_a_permit_did_not_name_is_found(posts: Dataset, acme: Partner, tmp_path: Path) -> None:
    ready(tmp_path, "letters", purposes=("marketing",))
    told = story(1, inputs=[heed("posts"), heed("letters")], outputs=[heed("model/writer")])
    permitted(ask(posts, run=told[0]["run"]["runId"]), partner=acme, at=AT)
    hear(*told)
    found = RunInput.objects.order_by("pk").values_list("version__dataset__slug", "named_by")
    assert list(found) == [("posts", "permit"), ("letters", "lineage")]


def test_an_event_told_twice_is_told_once(posts: Dataset) -> None:
    told = story(1, inputs=[heed("posts")], outputs=[heed("model/writer")])
    assert hear(*told, *told) == [True, True, False, False]
    assert LineageEvent.objects.count() == 2
    assert TrainingRun.objects.count() == 1


def test_a_run_of_somebody_else_is_not_theirs_to_tell_of(posts: Dataset) -> None:
    first, last = story(1, inputs=[heed("posts")], outputs=[heed("model/writer")])
    hear(first)
    with pytest.raises(EventError) as error:
        lineage.take_in(event=openlineage.read(last), partner="other", owners=["linkwell"], at=NOW)
    assert error.value.code == "run_of_another"
    assert LineageEvent.objects.count() == 1


def test_a_time_in_the_future_is_refused(posts: Dataset) -> None:
    with pytest.raises(EventError) as error:
        hear(event("START", NOW + timedelta(minutes=6), run=uuid.uuid4()))
    assert error.value.code == "event_time_in_future"


def test_a_model_is_that_of_the_recipient_who_has_one_of_its_name(posts: Dataset) -> None:
    TrainedModel.objects.create(name="writer", owner_id="northlight", registered_at=AT)
    hear(*story(1, inputs=[heed("posts")], outputs=[heed("model/writer")]))
    assert TrainedModel.objects.get().owner_id == "northlight"


def test_nobody_owns_what_is_made_by_who_speaks_for_nobody(posts: Dataset) -> None:
    _, last = story(1, inputs=[heed("posts")], outputs=[heed("model/writer")])
    with pytest.raises(EventError) as error:
        lineage.take_in(event=openlineage.read(last), partner="acme", owners=[""], at=NOW)
    assert error.value.code == "owner_missing"


def test_a_table_that_spark_names_by_its_catalogue_is_found_by_its_place(posts: Dataset) -> None:
    hear(events.spark(posts.location))
    assert LineageNode.objects.get(name="default.posts").dataset == posts
    assert LineageNode.objects.get(name="clean/posts").dataset is None

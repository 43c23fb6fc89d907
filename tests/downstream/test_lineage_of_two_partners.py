"""Two partners report under the same names: neither takes over what is the other's, or hides what is in it."""

from pathlib import Path
from typing import Any

import pytest

from consents.models import Partner, Recipient, Subject
from downstream import lineage, openlineage
from downstream.models import Dataset, TrainingRun
from tests.conftest import partner
from tests.downstream.events import facet, heed, named
from tests.downstream.test_lineage import NOW, OVERWRITES, hear, learned, story
from tests.downstream.training import ready

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def posts(alice: Subject, charlie: Subject, acme: Partner, tmp_path: Path) -> Dataset:
    return ready(tmp_path)


def hear_of(who: Partner, *sent: dict[str, Any]) -> None:
    for one in sent:
        lineage.take_in(event=openlineage.read(one), partner=who.slug, owners=who.recipients, at=NOW)


@pytest.fixture
def zeta(posts: Dataset) -> Partner:
    Recipient.objects.create(slug="zeta", name="Zeta", country="DE")
    return partner("zeta", recipients=["zeta"], schemes=[])


@pytest.mark.parametrize("is_first", [True, False])
def test_two_partners_each_have_their_model_of_a_name(posts: Dataset, zeta: Partner, is_first: bool) -> None:
    theirs = story(5, inputs=[], outputs=[heed("model/ranker")])
    if is_first:
        hear_of(zeta, *theirs)
    hear(*story(1, inputs=[heed("posts")], outputs=[heed("model/ranker")]))
    if not is_first:
        hear_of(zeta, *theirs)
    runs = TrainingRun.objects.order_by("finished_at")
    assert [(run.partner, run.model.owner_id, run.inputs.count()) for run in runs] == [
        ("acme", "linkwell", 1),
        ("zeta", "zeta", 0),
    ]


def test_what_is_made_of_ones_model_is_not_made_of_anothers(posts: Dataset, zeta: Partner) -> None:
    hear(*story(1, inputs=[heed("posts")], outputs=[heed("model/ranker")]))
    hear_of(zeta, *story(5, inputs=[], outputs=[heed("model/ranker")]))
    hear(*story(8, inputs=[heed("model/ranker")], outputs=[heed("model/tuned")]))
    hear_of(zeta, *story(8, inputs=[heed("model/ranker")], outputs=[heed("model/theirs")]))
    assert (learned("tuned"), learned("theirs")) == ([1], [])


def test_anothers_model_may_be_gone_on_from_by_its_name(posts: Dataset, zeta: Partner) -> None:
    hear_of(zeta, *story(8, inputs=[heed("model/base")], outputs=[heed("model/tuned")]))
    hear(*story(1, inputs=[heed("posts")], outputs=[heed("model/base")]))
    assert learned("tuned") == [1]


def test_another_partner_cannot_say_that_what_was_there_is_gone(posts: Dataset, zeta: Partner) -> None:
    lake = named("s3://lake", "clean")
    hear(*story(1, inputs=[heed("posts")], outputs=[lake]))
    hear_of(zeta, *story(3, inputs=[], outputs=[named("s3://lake", "clean", lifecycleStateChange=OVERWRITES)]))
    hear(*story(5, inputs=[lake], outputs=[heed("model/writer")]))
    assert learned() == [1]


def test_another_partner_cannot_make_a_model_of_what_is_none(posts: Dataset, zeta: Partner) -> None:
    model = named("s3://lake", "clean", datasetType=facet(datasetType="MODEL"))
    hear_of(zeta, *story(1, inputs=[], outputs=[model]))
    lake = named("s3://lake", "clean")
    hear(*story(1, inputs=[heed("posts")], outputs=[lake]))
    hear_of(zeta, *story(3, inputs=[], outputs=[model]))
    hear(*story(5, inputs=[lake], outputs=[heed("model/writer")]))
    assert learned() == [1]
    assert TrainingRun.objects.filter(partner="acme").count() == 1


def test_that_something_is_a_model_may_be_told_last(posts: Dataset) -> None:
    hear(*story(1, inputs=[heed("posts")], outputs=[named("mlflow", "ranker")]))
    hear(*story(3, inputs=[named("mlflow", "ranker")], outputs=[heed("model/writer")]))
    hear(*story(5, inputs=[named("mlflow", "ranker", datasetType=facet(datasetType="MODEL"))], outputs=[]))
    assert (learned("ranker"), learned()) == ([1], [1])

"""A dataset that is ready to be trained on, a partner that asks, and short ways of asking."""

import uuid
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from consents.models import Partner
from consents.vocabulary import Action
from downstream import permits, registry, training_runs, versions
from downstream.models import Dataset, DatasetVersion, Permit, TrainingRun
from tests.conftest import AT, BY, dataset_of, person, sequenced, write_parquet
from tests.downstream.acting import run_all, say

SCOPES = "training:read training:write lineage:write"
DIGEST = f"sha256:{'a1' * 32}"


def ready(
    folder: Path, slug: str = "posts", *, authors: tuple[str, ...] = ("m_alice", "m_charlie"), **more: Any
) -> Dataset:
    """A dataset of these people's rows, with the log carried out in it."""
    rows: dict[str, list[object]] = {"author": list(authors), "text": ["t"] * len(authors)}
    dataset = dataset_of(write_parquet(folder / slug, rows), slug=slug, **more)
    return caught_up(dataset)


def caught_up(dataset: Dataset, *, at: datetime = AT + timedelta(minutes=1)) -> Dataset:
    """Whatever the log holds is carried out in every dataset."""
    sequenced()
    while run_all(at=at):
        pass
    dataset.refresh_from_db()
    return dataset


def looked_again(dataset: Dataset) -> DatasetVersion:
    """The version after a run that looked for somebody who was not there: its content is the one before's."""
    say(person(f"visitor-{uuid.uuid4().hex[:8]}"), Action.DENY)
    caught_up(dataset)
    return _newest(dataset)


def grown(dataset: Dataset, *people: str, at: datetime) -> DatasetVersion:
    """The version that a look makes of a file that somebody else has put there, with a row of each of these."""
    rows: dict[str, list[object]] = {"author": list(people or ["m_nobody"]), "text": ["new"] * (len(people) or 1)}
    write_parquet(Path(dataset.location), rows, name=f"part-{uuid.uuid4().hex[:8]}.parquet")
    version = versions.notice(dataset=dataset, manifest=registry.connect(dataset).manifest(), at=at)
    assert version is not None
    return version


def held_by_another(slug: str = "copy") -> Dataset:
    """A dataset that the partner acme holds and takes people out of itself."""
    registration = registry.Registration(
        slug=slug,
        name="Copy",
        owner="linkwell",
        purposes=("ai-training",),
        kind="pull",
        location=f"acme/{slug}",
        key_column="author",
        key_scheme="account",
    )
    return registry.register(registration=registration, by=BY, at=AT)


def _newest(dataset: Dataset) -> DatasetVersion:
    version = versions.newest(dataset)
    assert version is not None
    return version


def ask(*datasets: Dataset | str, **changes: Any) -> permits.Asked:
    """A run that asks for the newest version of each."""
    wanted: dict[str, Any] = {
        "run": "run-1",
        "model": "writer",
        "purpose": "ai-training",
        "recipient": "linkwell",
        "datasets": tuple((one if isinstance(one, str) else one.slug, None) for one in datasets),
    }
    return permits.Asked(**{**wanted, **changes})


def permitted(asked: permits.Asked, *, partner: Partner, at: datetime) -> Permit:
    return permits.issue(asked=asked, owners=partner.recipients, partner=partner.slug, at=at)


def refused(asked: permits.Asked, *, partner: Partner, at: datetime) -> list[tuple[str, str]]:
    """(code, dataset) of each reason; fails where it is permitted."""
    try:
        permitted(asked, partner=partner, at=at)
    except permits.PermitRefused as error:
        return [(one.code, one.dataset) for one in error.reasons]
    raise AssertionError("it was permitted")


def finish(run: TrainingRun, *, at: datetime, continues: bool = False) -> TrainingRun:
    told = training_runs.Finish(artefact_digest=DIGEST, continues=continues)
    return training_runs.complete(run_id=run.pk, owners=["linkwell"], told=told, by="partner:acme", at=at)


def trained(
    dataset: Dataset, *, partner: Partner, at: datetime, model: str = "writer", continues: bool = False
) -> TrainingRun:
    """A finished run on the dataset's newest version."""
    return finish(permitted(ask(dataset, model=model), partner=partner, at=at).run, at=at, continues=continues)

"""A dataset that is ready to be trained on, a partner that asks, and short ways of asking."""

import uuid
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from consents.models import Partner
from downstream import permits, training_runs
from downstream.models import Dataset, DatasetVersion, Permit, Propagation, TrainingRun
from downstream.propagation_states import Status
from tests.conftest import AT, dataset_of, sequenced, write_parquet
from tests.downstream.acting import run_all

SCOPES = "training:read training:write lineage:write"
DIGEST = f"sha256:{'a1' * 32}"


def version_of(dataset: Dataset, *, at: datetime = AT, digest: str = "") -> DatasetVersion:
    """The next version, as the last verified run left the dataset."""
    dataset.refresh_from_db()
    last = dataset.versions.order_by("-number").first()
    run = Propagation.objects.filter(dataset=dataset, status=Status.VERIFIED).order_by("-to_position").first()
    return DatasetVersion.objects.create(
        dataset=dataset,
        number=last.number + 1 if last else 1,
        parent=last,
        propagation_id=run.pk if run else None,
        position=run.to_position if run else dataset.position,
        manifest_digest=digest or uuid.uuid4().hex * 2,
        rows=dataset.row_count,
        files=dataset.file_count,
        made_at=at,
    )


def ready(
    folder: Path, slug: str = "posts", *, authors: tuple[str, ...] = ("m_alice", "m_charlie"), **more: Any
) -> Dataset:
    """A dataset of these people's rows, with the log carried out in it, in its first version."""
    rows: dict[str, list[object]] = {"author": list(authors), "text": ["t"] * len(authors)}
    dataset = dataset_of(write_parquet(folder / slug, rows), slug=slug, **more)
    caught_up(dataset)
    version_of(dataset)
    return dataset


def caught_up(dataset: Dataset, *, at: datetime = AT + timedelta(minutes=1)) -> Dataset:
    """Whatever the log holds is carried out in every dataset."""
    sequenced()
    while run_all(at=at):
        pass
    dataset.refresh_from_db()
    return dataset


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

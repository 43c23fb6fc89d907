"""What is true of every table of ours."""

import pytest
from django.apps import apps
from django.db import connection, models
from django.db.utils import DatabaseError

from consents import holds, ledger, subjects
from consents.models import Subject, Suppressed
from consents.vocabulary import Action, Source
from portal.append_only import AppendOnly
from tests.conftest import AT, BY

OURS = [
    model
    for label in ("portal", "consents", "downstream", "requests_app")
    for model in apps.get_app_config(label).get_models()
]
APPEND_ONLY = [model for model in OURS if issubclass(model, AppendOnly)]


def named(model: type[models.Model]) -> str:
    return model._meta.label


@pytest.mark.parametrize("model", OURS, ids=named)
def test_every_model_says_which_of_its_fields_are_personal(model: type[models.Model]) -> None:
    assert "PERSONAL" in vars(model)
    assert {field.name for field in model._meta.get_fields()} >= model.PERSONAL  # type: ignore[attr-defined]


@pytest.mark.parametrize("model", OURS, ids=named)
def test_whatever_is_sealed_or_hashed_is_called_personal(model: type[models.Model]) -> None:
    hidden = {field.name for field in model._meta.fields if isinstance(field, models.BinaryField)}
    # the tree's hashes are public: they are made of salted commitments, which tell nobody anything
    hidden -= {"request_digest", "hashes", "root"}
    # names and digests of files, compressed
    hidden -= {"units"}
    assert hidden <= model.PERSONAL  # type: ignore[attr-defined]


def test_history_is_append_only() -> None:
    names = {named(model) for model in APPEND_ONLY}
    assert {"portal.AuditEntry", "consents.LedgerEvent", "consents.Position", "consents.Rule"} <= names
    assert {"consents.Notice", "consents.Suppressed", "downstream.RemovalReceipt"} <= names
    assert {"consents.Checkpoint", "requests_app.TimelineEntry"} <= names


@pytest.mark.parametrize("model", APPEND_ONLY, ids=named)
@pytest.mark.parametrize("operation", ["UPDATE", "DELETE"])
def test_the_database_guards_each_row_of_history(db: None, model: type[models.Model], operation: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM information_schema.triggers WHERE event_object_table = %s"
            " AND event_manipulation = %s AND action_timing = 'BEFORE' AND action_orientation = 'ROW'"
            " AND trigger_name LIKE 'pgtrigger_append_only_%%'",
            [model._meta.db_table, operation],
        )
        assert cursor.fetchone() == (1,)


@pytest.fixture
def history(alice: Subject) -> None:
    """A row in each append-only table of portal and consents that one transaction can write."""
    origin = ledger.Origin(source=Source.STAFF, by=BY)
    scope = ledger.Scope("ai-training")
    ledger.record(subject=alice, scope=scope, action=Action.DENY, origin=origin, at=AT)
    holds.open(scope=holds.HoldScope(), reason="because", by=BY, at=AT)
    subjects.forget(subject=alice, by=BY, at=AT)


@pytest.mark.parametrize("table", ["portal_auditentry", "consents_ledgerevent", "consents_rule", "consents_notice"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET id = id", "DELETE FROM {}"])
def test_sql_behind_djangos_back_is_refused_too(history: None, table: str, statement: str) -> None:
    with connection.cursor() as cursor, pytest.raises(DatabaseError, match="Cannot update or delete"):
        cursor.execute(statement.format(table))


def test_nobody_is_taken_off_the_list_of_the_forgotten(history: None) -> None:
    assert Suppressed.objects.count() == 2
    with pytest.raises(DatabaseError, match="Cannot update or delete"):
        Suppressed.objects.all().delete()

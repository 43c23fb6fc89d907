"""The staff's pages about bytes: what is kept, looking again, and how long old versions may be kept."""

from pathlib import Path

import pytest

from consents.models import Subject
from consents.vocabulary import Action
from downstream import purging
from downstream.models import Dataset, Propagation, Target
from downstream.propagation_states import Purge
from portal import clock
from portal.models import AuditEntry, User
from tests.conftest import SignIn
from tests.downstream.acting import LATER, carry_out, planned, say
from tests.downstream.admin.pressing import do

pytestmark = pytest.mark.django_db(transaction=True)
RUNS = "/admin/downstream/propagation/"


@pytest.fixture
def left(posts: Dataset, alice: Subject) -> Path:
    """A copy that somebody left beside the data."""
    note = Path(posts.location, "notes.txt")
    note.write_text("wrong: m_alice\n")
    return note


@pytest.fixture
def stopped(left: Path, alice: Subject) -> Propagation:
    """A run whose removed rows' bytes wait for a person."""
    say(alice, Action.DENY)
    run = planned()
    assert carry_out(run)
    assert not purging.carry_out(propagation_id=run.pk, holder="test", clock=lambda: LATER)
    run.refresh_from_db()
    assert run.purge == Purge.STOPPED
    return run


def test_the_run_names_where_bytes_are_left_and_whom_it_searched_for_by_number(
    stopped: Propagation, petra: User, signed_in: SignIn
) -> None:
    page = signed_in(petra).get(f"{RUNS}{stopped.pk}/change/").content.decode()
    assert "notes.txt: beside" in page
    assert "2 places searched for 1 keys" in page
    assert "m_alice" not in page


def test_a_manager_lets_heed_look_again(left: Path, stopped: Propagation, petra: User, signed_in: SignIn) -> None:
    left.unlink()
    browser = signed_in(petra)
    assert do(browser, "downstream_propagation", "look_again", stopped.pk)["HX-Redirect"].endswith("/change/")
    assert purging.carry_out(propagation_id=stopped.pk, holder="test", clock=clock.now)
    assert AuditEntry.objects.get(action="propagation.look_again").actor == f"staff:{petra.pk}"
    assert do(browser, "downstream_propagation", "look_again", stopped.pk).status_code == 403


def test_an_agent_neither_looks_again_nor_decides(
    stopped: Propagation, posts: Dataset, bob: User, signed_in: SignIn
) -> None:
    browser = signed_in(bob)
    assert do(browser, "downstream_propagation", "look_again", stopped.pk).status_code == 403
    answer = do(browser, "downstream_dataset", "decide_retention", posts.pk, hours="0", reason="because")
    assert answer.status_code == 403
    posts.refresh_from_db()
    assert posts.retention_hours is None


def test_a_manager_decides_how_long_old_versions_are_kept(posts: Dataset, petra: User, signed_in: SignIn) -> None:
    browser = signed_in(petra)
    do(browser, "downstream_dataset", "decide_retention", posts.pk, hours="24", reason="Nobody reads them.")
    posts.refresh_from_db()
    assert posts.retention_hours == 24
    assert "24 hours, as decided" in browser.get(f"/admin/downstream/dataset/{posts.pk}/change/").content.decode()
    do(browser, "downstream_dataset", "decide_retention", posts.pk, hours="", reason="As the store keeps them.")
    posts.refresh_from_db()
    assert posts.retention_hours is None


def test_a_decision_without_a_reason_decides_nothing(posts: Dataset, petra: User, signed_in: SignIn) -> None:
    do(signed_in(petra), "downstream_dataset", "decide_retention", posts.pk, hours="0", reason=" ")
    posts.refresh_from_db()
    assert posts.retention_hours is None
    assert not AuditEntry.objects.filter(action="dataset.decide_retention").exists()


@pytest.mark.parametrize(("late", "shown"), [(False, 0), (True, 1)])
def test_what_is_kept_too_long_is_listed_and_on_the_first_page(
    stopped: Propagation, petra: User, signed_in: SignIn, late: bool, shown: int
) -> None:
    Propagation.objects.update(purge_deadline=clock.now().replace(year=2000 if late else 2100))
    browser = signed_in(petra)
    assert browser.get(f"{RUNS}?bytes=late").context["cl"].result_count == shown
    assert browser.get(f"{RUNS}?bytes=kept").context["cl"].result_count == 1
    tiles = {str(tile[0]): tile[1] for tile in browser.get("/admin/").context["tiles"]}
    assert tiles["Removals whose bytes are kept too long"] == shown
    assert tiles["Removals whose bytes wait for you"] == 1


@pytest.mark.parametrize(("late", "shown"), [(False, 0), (True, 1)])
def test_the_first_page_counts_late_runs_and_leads_to_these(
    posts: Dataset, alice: Subject, petra: User, signed_in: SignIn, late: bool, shown: int
) -> None:
    say(alice, Action.DENY)
    run = planned()
    Propagation.objects.filter(pk=run.pk).update(deadline=clock.now().replace(year=2000 if late else 2100))
    browser = signed_in(petra)
    tile = next(one for one in browser.get("/admin/").context["tiles"] if "past their deadline" in one.label)
    assert (tile.number, tile.is_alarm) == (shown, late)
    assert browser.get(tile.link).context["cl"].result_count == shown


def test_people_whom_a_dataset_cannot_name_lead_to_the_runs_that_looked_for_them(
    posts: Dataset, alice: Subject, charlie: Subject, petra: User, signed_in: SignIn
) -> None:
    say(alice, Action.DENY)
    run = planned()
    browser = signed_in(petra)

    def listed() -> tuple[int, int]:
        tile = next(one for one in browser.get("/admin/").context["tiles"] if "cannot name" in one.label)
        return tile.number, browser.get(tile.link).context["cl"].result_count

    assert listed() == (0, 0)
    Target.objects.create(propagation=run, subject_id=charlie.pk, is_gap=True, reason_code=Target.NO_NAME)
    assert listed() == (1, 1)

"""The staff's pages of holds, datasets, runs and receipts: who may see them, and that nobody edits by hand."""

from typing import Any

import pytest

from consents.models import Hold, Subject
from consents.vocabulary import Action
from downstream.models import Dataset, Propagation, RemovalReceipt
from portal.models import User
from portal.roles import AUDITOR
from tests.conftest import SignIn, staff_member
from tests.downstream.acting import run_all, say
from tests.downstream.admin.pressing import do

pytestmark = pytest.mark.django_db(transaction=True)

BAD_IDS = ("nonsense", "00000000-0000-0000-0000-000000000000", "999999", "x" * 200, "_5B_00")
PAGES = ("consents/hold", "downstream/dataset", "downstream/propagation", "downstream/removalreceipt")


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("name", BAD_IDS)
def test_a_bad_id_is_not_found(world: None, petra: User, signed_in: SignIn, page: str, name: str) -> None:
    assert signed_in(petra).get(f"/admin/{page}/{name}/change/").status_code in {302, 404}


@pytest.mark.parametrize(
    ("model", "action"),
    [("consents_hold", "ask_to_lift"), ("consents_hold", "lift"), ("downstream_propagation", "retry_now")],
)
@pytest.mark.parametrize("name", BAD_IDS)
def test_an_action_on_a_bad_id_is_refused(
    world: None, petra: User, signed_in: SignIn, model: str, action: str, name: str
) -> None:
    assert do(signed_in(petra), model, action, name).status_code in {302, 403, 404}


@pytest.mark.parametrize("page", PAGES)
def test_a_role_sees_what_it_may_and_no_role_nothing(
    posts: Dataset, hold: Hold, alice: Subject, bob: User, signed_in: SignIn, page: str
) -> None:
    say(alice, Action.DENY)
    run_all()
    models: dict[str, Any] = dict(zip(PAGES, (Hold, Dataset, Propagation, RemovalReceipt), strict=True))
    one = models[page].objects.first()
    paths = [f"/admin/{page}/", f"/admin/{page}/{one.pk}/change/"]
    for user in (bob, staff_member("ada", AUDITOR)):
        assert [signed_in(user).get(path).status_code for path in paths] == [200, 200]
    nobody = signed_in(staff_member("nemo", None))
    assert [nobody.get(path).status_code for path in paths] == [403, 403]


@pytest.mark.parametrize("page", PAGES)
def test_nothing_is_changed_or_deleted_by_hand(
    posts: Dataset, hold: Hold, alice: Subject, petra: User, signed_in: SignIn, page: str
) -> None:
    say(alice, Action.DENY)
    run_all()
    models: dict[str, Any] = dict(zip(PAGES, (Hold, Dataset, Propagation, RemovalReceipt), strict=True))
    before = list(models[page].objects.order_by("pk").values())
    browser = signed_in(petra)
    for path in ("change", "delete"):
        answer = browser.post(f"/admin/{page}/{before[0]['id']}/{path}/", {"post": "yes", "name": "x", "position": 0})
        assert answer.status_code in {302, 403}
    browser.post(f"/admin/{page}/", {"action": "delete_selected", "_selected_action": before[0]["id"], "post": "yes"})
    assert list(models[page].objects.order_by("pk").values()) == before

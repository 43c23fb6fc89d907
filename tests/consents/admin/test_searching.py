"""Staff search the two tables that only grow by what an index finds."""

import pytest
from django.test import Client

from consents.models import Subject
from consents.vocabulary import Action
from portal.models import User
from tests.conftest import SignIn
from tests.consents.asking import say

LEDGER, TRAIL = "/admin/consents/ledgerevent/", "/admin/portal/auditentry/"


@pytest.mark.parametrize("path", [LEDGER, TRAIL])
def test_a_persons_id_finds_what_is_theirs(
    alice: Subject, charlie: Subject, petra: User, signed_in: SignIn, path: str
) -> None:
    say(alice, Action.DENY)
    browser = signed_in(petra)
    # the ledger has her choice; the trail her registration and her choice
    wanted = {LEDGER: 1, TRAIL: 2}[path]
    assert _found(browser, path, str(alice.pk)) == wanted
    assert _found(browser, path, f" {alice.pk} ") == wanted
    assert _found(browser, path, "no id at all") == 0
    assert _found(browser, path, "") > wanted


def _found(browser: Client, path: str, asked: str) -> int:
    answer = browser.get(path, {"q": asked})
    assert answer.status_code == 200
    return int(answer.context["cl"].result_count)

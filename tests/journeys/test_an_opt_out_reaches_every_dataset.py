"""From a click to a verified removal, on the corpus, through the real web server and workers; judged by DuckDB."""

import re

import pytest
import requests
from django.contrib.auth.models import Group
from django.urls import reverse

from consents import holds
from consents.models import Hold, LedgerEvent, Subject
from downstream.models import Dataset, Propagation, RemovalReceipt
from portal import roles
from portal.demo import browsing
from portal.models import AuditEntry, User
from tests.conftest import staff_member
from tests.journeys.conftest import Corpus, staff_browser
from tests.stack import Stack, wait_for

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]


def test_three_opt_outs_and_a_hold_remove_exactly_their_rows(house: Stack, registered: Corpus) -> None:
    authors = registered.authors()
    counts = dict(authors)
    busiest, middling, single = authors[0][0], authors[len(authors) // 10][0], authors[-1][0]
    assert counts[busiest] > 100 > counts[middling] > counts[single] == 1

    for author in (busiest, middling, single):
        _opt_out(house, author)
    gone = {busiest, middling, single}
    assert registered.differences(without=gone) == (0, 0)
    for author in gone:
        receipt = _receipt(author)
        assert (receipt.rows_found, receipt.rows_removed) == (counts[author], counts[author])
        assert receipt.digest_before != receipt.digest_after

    _hold_gb_through_the_staff_pages(house)
    gone |= registered.authors_in("GB")
    assert registered.differences(without=gone) == (0, 0)
    assert not Propagation.objects.open().exists()

    _nobody_is_named_in_logs(house)


def test_lifting_a_hold_restores_decisions_but_not_rows(house: Stack, registered: Corpus) -> None:
    first, second = staff_member("petra", roles.MANAGER), staff_member("mona", roles.MANAGER)
    hold = _hold_gb_through_the_staff_pages(house)
    without_gb = registered.authors_in("GB")
    assert registered.differences(without=without_gb) == (0, 0)

    for user, action in ((first, "ask_to_lift"), (second, "lift")):
        _press(staff_browser(house, user), house, reverse(f"admin:consents_hold_{action}", args=[hold.pk]))
    hold.refresh_from_db()
    assert not hold.is_open
    author = min(without_gb)
    browser = browsing.sign_in(base=house.base, email=f"{author}@example.org", mail_dir=house.mail_dir)
    assert "On: your data is used for this." in browser.get(f"{house.base}/choices/", timeout=30).text
    assert registered.differences(without=without_gb) == (0, 0)


def _opt_out(house: Stack, author: str) -> None:
    browser = browsing.sign_in(base=house.base, email=f"{author}@example.org", mail_dir=house.mail_dir)
    reference = browsing.say_no(browser, base=house.base, purpose="ai-training")
    assert reference.startswith("R-")

    def arrived() -> bool:
        page = browser.get(f"{house.base}/choices/ai-training/journey/", timeout=30).text
        return "stop--removed" in page

    wait_for(arrived, within=60, what=lambda: house.log("worker")[-3000:])


def _receipt(author: str) -> RemovalReceipt:
    subject = Subject.objects.get(identifiers__scheme="account", identifiers__value=author)
    return RemovalReceipt.objects.get(subject_id=subject.pk, rows_found__gt=0)


def _hold_gb_through_the_staff_pages(house: Stack) -> Hold:
    manager = User.objects.filter(groups=Group.objects.get(name=roles.MANAGER), username="vera").first()
    browser = staff_browser(house, manager or staff_member("vera", roles.MANAGER))
    address = f"{house.base}/admin/consents/hold/add/"
    filled = {"purposes": "ai-training", "jurisdictions": "GB", "authority": "ICO", "reason": "A concern was raised."}
    preview = browsing.post(browser, address, browser.get(address, timeout=30).text, **filled)
    people = holds.people_in(holds.HoldScope(jurisdictions=["GB"]))
    assert f"Decisions for {people} people turn to deny at once." in preview.text
    assert not Hold.objects.exists()
    browsing.post(browser, address, preview.text, **filled, confirmed="1")
    hold = Hold.objects.get()
    wait_for(lambda: _verified_to_the_head(), within=120, what=lambda: house.log("worker")[-3000:])
    return hold


def _press(browser: requests.Session, house: Stack, path: str) -> None:
    dialog = browser.get(f"{house.base}{path}", timeout=30)
    answer = browsing.post(browser, f"{house.base}{path}", dialog.text, _form_submitted="True")
    assert answer.status_code == 200, answer.text[:500]


def _verified_to_the_head() -> bool:
    waiting = LedgerEvent.objects.filter(placed__isnull=True).exists()
    head = LedgerEvent.objects.filter(placed__isnull=False).count()
    return not waiting and not Dataset.objects.filter(position__lt=head).exists()


def _nobody_is_named_in_logs(house: Stack) -> None:
    """Neither an address nor an account of anyone is in a process's log or the audit trail."""
    logs = "".join(house.log(name) for name in ("web", "worker", "beat"))
    assert "carry_out" in logs
    for text in (logs, str(list(AuditEntry.objects.values_list("actor", "object_id", "details")))):
        assert not re.search(r"m_[0-9a-f]{12}", text)
        assert "@example.org" not in text

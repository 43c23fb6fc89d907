"""What people and staff read of a dataset that somebody else holds: who says so, and that we did not look."""

import pytest
from django.test import Client
from django.urls import reverse

from consents.models import Subject
from downstream.models import Acknowledgement, Dataset, HolderRequest, Propagation, RemovalReceipt, WebhookSubscription
from downstream.propagation_states import Status
from portal import clock
from portal.models import User
from tests.conftest import SignIn
from tests.consents.api.conftest import Caller
from tests.downstream.api.test_propagations import acknowledge

pytestmark = pytest.mark.usefixtures("own_cache")

PAGE = "/choices/ai-training/journey/"


def text(browser: Client, path: str) -> str:
    answer = browser.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_person_reads_that_the_holder_was_asked_and_what_it_said(
    run: Propagation, their_calls: Caller, alice: Subject, signed_in: SignIn
) -> None:
    browser = signed_in(alice)
    Propagation.objects.update(deadline=clock.now().replace(year=2999))
    asked = text(browser, PAGE)
    assert "stop--asked" in asked
    assert "hx-trigger" in asked
    counted = [{"key": "m_alice", "rows_found": 2, "rows_removed": 2}]
    assert acknowledge(their_calls, run, keys=counted).status_code == 200
    told = text(browser, PAGE)
    assert "stop--told_removed" in told
    assert "they told us: we cannot look there ourselves" in told
    assert "<dd>2</dd>" in told
    assert "Where others keep it, they told us so" in told
    assert "Looked again" not in told
    assert "hx-trigger" not in told


def test_staff_see_the_holder_its_open_requests_and_its_last_answer(
    run: Propagation, their_calls: Caller, copy: Dataset, petra: User, signed_in: SignIn
) -> None:
    browser = signed_in(petra)
    page = reverse("admin:downstream_dataset_change", args=[copy.pk])
    before = text(browser, page)
    assert "northlight" in before
    assert "1 request" in before
    acknowledge(their_calls, run, rows_removed=1)
    assert "not accepted: not all removed" in text(browser, page)
    acknowledge(their_calls, run)
    after = text(browser, page)
    assert "2 of 2 rows removed, 40 stay" in after
    assert "1 request" not in after
    receipt = reverse("admin:downstream_removalreceipt_change", args=[RemovalReceipt.objects.get().pk])
    assert "northlight, who holds it and did not count" in text(browser, receipt)


def test_a_run_that_the_holder_could_not_carry_out_says_so_in_its_words(
    run: Propagation, their_calls: Caller, copy: Dataset, petra: User, signed_in: SignIn
) -> None:
    their_calls.post(
        f"/propagations/{run.pk}/ack", {"position": run.to_position, "status": "failed", "reason": "disk full"}
    )
    browser = signed_in(petra)
    assert "disk full" in text(browser, reverse("admin:downstream_propagation_change", args=[run.pk]))
    assert "could not remove them: disk full" in text(
        browser, reverse("admin:downstream_dataset_change", args=[copy.pk])
    )
    run.refresh_from_db()
    assert run.status == Status.STOPPED
    assert HolderRequest.objects.get().state == "refused"
    assert Acknowledgement.objects.get().words == "disk full"


def test_staff_see_webhooks_without_their_secrets(their_calls: Caller, petra: User, signed_in: SignIn) -> None:
    made = their_calls.post("/webhooks", {"url": "https://n.example/h", "events": ["permit.void"]}).json()  # type: ignore[attr-defined]
    their_calls.post(f"/webhooks/{made['id']}/test", {})
    browser = signed_in(petra)
    assert "https://n.example/h" in text(browser, reverse("admin:downstream_webhooksubscription_changelist"))
    one = WebhookSubscription.objects.get()
    page = text(browser, reverse("admin:downstream_webhooksubscription_change", args=[one.pk]))
    assert "webhook.test" in page
    assert made["secret"] not in page


@pytest.mark.parametrize("path", ["downstream_webhooksubscription_changelist"])
def test_whoever_is_no_staff_sees_no_webhooks(alice: Subject, signed_in: SignIn, path: str) -> None:
    assert signed_in(alice).get(reverse(f"admin:{path}")).status_code == 302


def test_of_a_copy_that_others_hold_staff_are_offered_no_versions_and_no_retention(
    copy: Dataset, petra: User, signed_in: SignIn
) -> None:
    browser = signed_in(petra)
    page = text(browser, reverse("admin:downstream_dataset_change", args=[copy.pk]))
    assert "what its holder decides" in page
    for name in ("list_versions", "croissant_metadata", "decide_retention"):
        address = reverse(f"admin:downstream_dataset_{name}", args=[copy.pk])
        assert address not in page
        assert browser.get(address).status_code == 403


def test_what_a_holder_attests_is_on_no_list_of_bytes_that_are_kept(
    run: Propagation, their_calls: Caller, petra: User, signed_in: SignIn
) -> None:
    assert acknowledge(their_calls, run).status_code == 200
    run.refresh_from_db()
    assert (run.status, run.purge) == (Status.VERIFIED, "")
    assert not Propagation.objects.kept().exists()
    listed = text(signed_in(petra), reverse("admin:downstream_propagation_changelist") + "?bytes=kept")
    assert str(run.pk) not in listed

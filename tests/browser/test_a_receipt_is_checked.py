"""A member keeps the receipt of a choice; somebody without an account checks it, and an altered copy of it."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PHONE, Picture, Visit

pytestmark = pytest.mark.browser
MEMBER = "m_us005@linkwell.example"


def test_a_receipt_is_kept_and_checked_by_somebody_else(visit: Visit, picture: Picture, tmp_path: Path) -> None:
    page = visit(MEMBER, **PHONE)
    page.goto("/choices/")
    card = page.locator("article", has=page.get_by_role("heading", name="Use my data to train AI"))
    card.get_by_role("button", name=re.compile(r"^No\b")).click()
    reference = card.locator(".alert .reference").inner_text()
    page.goto(f"/receipts/{reference}/")
    for _ in range(40):
        if page.get_by_text("Sealed in the log").is_visible():
            break
        page.wait_for_timeout(500)
        page.reload()
    expect(page.get_by_text("Sealed in the log")).to_be_visible()
    with page.expect_download() as kept:
        page.get_by_role("link", name="JSON-LD").click()
    receipt = tmp_path / "receipt.json"
    kept.value.save_as(receipt)

    stranger = visit(**PHONE)
    stranger.goto("/verify/")
    stranger.locator("input[type=file]").set_input_files(receipt)
    stranger.get_by_role("button", name="Check").click()
    expect(stranger.get_by_role("heading", name="This receipt is genuine", exact=True)).to_be_visible()
    picture(stranger, "verify-phone")

    altered = tmp_path / "altered.json"
    altered.write_text(receipt.read_text().replace("ai-training", "ai-drawing", 1))
    stranger.goto("/verify/")
    stranger.locator("input[type=file]").set_input_files(altered)
    stranger.get_by_role("button", name="Check").click()
    expect(stranger.get_by_role("heading", name="Do not rely on this receipt")).to_be_visible()

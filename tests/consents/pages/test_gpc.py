"""The browser's opt-out signal on people's pages: recorded once, shown with its effect, ended by the person alone."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client

from consents import browser_signals, rules, subjects
from consents.models import LedgerEvent, Subject
from consents.vocabulary import Action
from portal.models import User
from tests.conftest import AT, BY, SignIn
from tests.consents.asking import say
from tests.consents.pages.test_sign_in import CODE
from tests.consents.test_browser_signals import gpc_rule

ON = {"sec-gpc": "1"}


def signals() -> list[tuple[str, str]]:
    events = LedgerEvent.objects.filter(kind="choice", action__startswith="signal").order_by("id")
    return list(events.values_list("action", "source"))


def test_the_first_page_records_it_and_the_others_look_no_more(alice: Subject, signed_in: SignIn) -> None:
    browser = signed_in(alice)
    for path in ("/", "/choices/", "/history/"):
        assert browser.get(path, headers=ON).status_code == 200
    assert signals() == [("signal_on", "gpc")]
    assert LedgerEvent.objects.get(action="signal_on").actor == f"subject:{alice.pk}"


def test_a_second_browser_that_sends_it_is_no_second_event(alice: Subject, signed_in: SignIn) -> None:
    for _ in range(2):
        signed_in(alice).get("/choices/", headers=ON)
    assert signals() == [("signal_on", "gpc")]


def test_a_browser_without_it_says_nothing(alice: Subject, signed_in: SignIn) -> None:
    signed_in(alice).get("/choices/", headers=ON)
    signed_in(alice).get("/choices/")
    assert signals() == [("signal_on", "gpc")]


@pytest.mark.parametrize("value", ["0", "true", "1 1", "on", ""])
def test_another_value_is_no_signal(alice: Subject, signed_in: SignIn, value: str) -> None:
    page = signed_in(alice).get("/choices/", headers={"sec-gpc": value})
    assert signals() == []
    assert "opt-out signal" not in page.content.decode()


def test_strangers_and_staff_have_none_recorded(world: None, bob: User, signed_in: SignIn) -> None:
    Client().get("/", headers=ON)
    signed_in(bob).get("/", headers=ON)
    assert signals() == []


def test_signing_in_with_it_records_it_at_once(alice: Subject) -> None:
    browser = Client(headers=ON)
    browser.post("/account/login/code/", {"email": "alice@example.org"})
    found = CODE.search(str(mail.outbox[-1].body))
    assert found
    browser.post("/account/login/code/confirm/", {"code": found.group()})
    assert signals() == [("signal_on", "gpc")]


def test_a_page_without_the_signal_asks_the_database_nothing_more(
    alice: Subject, signed_in: SignIn, django_assert_num_queries: Callable[..., object]
) -> None:
    browser = signed_in(alice)
    browser.get("/notices/", headers=ON)
    with django_assert_num_queries(3):  # type: ignore[attr-defined]
        browser.get("/notices/")


def california(name: str = "carla") -> Subject:
    newcomer = subjects.Newcomer((subjects.name("account", f"m_{name}"),), "US-CA")
    return subjects.register(newcomer=newcomer, by=BY, at=AT)


def test_it_stops_what_the_rule_says_and_the_page_says_so(world: None, signed_in: SignIn) -> None:
    gpc_rule()
    browser = signed_in(california())
    page = browser.get("/", headers=ON).content.decode()
    assert "Your data is not used to train AI." in page
    assert "which counts as a no here" in page
    assert "we honour it. It counts as a no to: Use my data to train AI." in page
    # recorded: it counts also where the browser does not send it
    assert "Your data is not used to train AI." in browser.get("/").content.decode()


def test_ones_own_yes_goes_before_it_and_the_page_tells_of_the_conflict(world: None, signed_in: SignIn) -> None:
    gpc_rule()
    carla = california()
    say(carla, Action.GRANT)
    browser = signed_in(carla)
    page = browser.get("/", headers=ON).content.decode()
    assert "Your data may be used to train AI." in page
    assert "You said yes yourself to: Use my data to train AI. That goes before the signal." in page
    assert "It counts as a no to" not in page
    assert "You said yes yourself to" in browser.get("/signal/").content.decode()


def test_where_it_has_no_effect_that_is_said_as_plainly(alice: Subject, signed_in: SignIn) -> None:
    page = signed_in(alice).get("/", headers=ON).content.decode()
    assert "Your data may be used to train AI." in page
    assert "Where you live it changes nothing of what we do" in page


@pytest.mark.parametrize(
    ("country", "answer", "word"),
    [
        ("US-CA", "it is not used.", "It counts as a no to: Use my data to train AI."),
        ("US", "it may be used", "Where you live it changes nothing"),
        ("", "Pick your country", "What it stops depends on where you live."),
        ("XX", "Pick your country", "What it stops depends on where you live."),
    ],
)
def test_a_stranger_is_told_by_country(world: None, country: str, answer: str, word: str) -> None:
    gpc_rule()
    page = Client().get("/", {"country": country}, headers=ON).content.decode()
    assert answer in page
    assert page.count(word) == 1


def test_the_first_page_says_nothing_of_it_without_it(world: None) -> None:
    gpc_rule()
    page = Client().get("/", {"country": "US-CA"}).content.decode()
    assert "it may be used" in page
    assert "opt-out signal" not in page


def test_every_page_says_so_at_its_foot(world: None) -> None:
    for path in ("/notices/", "/object/", "/account/login/", "/no-such-page/"):
        assert "Your browser sends an opt-out signal" in Client().get(path, headers=ON).content.decode(), path


def test_the_signals_own_page_shows_record_and_effect(world: None, signed_in: SignIn) -> None:
    gpc_rule("marketing")
    browser = signed_in(california())
    assert "No signal so far" in browser.get("/signal/").content.decode()
    page = browser.get("/signal/", headers=ON).content.decode()
    for words in (
        "This browser sends the signal.",
        "The signal counts",
        "Send me offers",
        "R-",
        "Do not apply it to me",
    ):
        assert words in page
    assert "My browser no longer sends it" not in page
    assert "My browser no longer sends it" in browser.get("/signal/").content.decode()


def test_a_stranger_reads_what_it_is(world: None) -> None:
    page = Client().get("/signal/", headers=ON).content.decode()
    assert "Sign in once with this browser" in page
    assert "pick your country" in page


@pytest.mark.parametrize(("headers", "say"), [({}, "ended"), (ON, "set_aside")])
def test_the_person_ends_it(alice: Subject, signed_in: SignIn, headers: dict[str, str], say: str) -> None:
    browser = signed_in(alice)
    browser.get("/", headers=ON)
    page = browser.post("/signal/say/", {"say": say}, headers=headers, follow=True).content.decode()
    assert "Saved. Your receipt: R-" in page
    assert [action for action, _ in signals()] == ["signal_on", "signal_off"]


def test_what_was_set_aside_stays_so_in_every_browser_until_applied_again(alice: Subject, signed_in: SignIn) -> None:
    browser = signed_in(alice)
    browser.post("/signal/say/", {"say": "set_aside"}, headers=ON)
    page = signed_in(alice).get("/choices/", headers=ON).content.decode()
    assert "You told us not to apply it" in page
    browser.post("/signal/say/", {"say": "apply_again"}, headers=ON)
    assert [action for action, _ in signals()][-1] == "signal_on"


def test_what_is_said_twice_is_recorded_once(alice: Subject, signed_in: SignIn) -> None:
    browser = signed_in(alice)
    for _ in range(2):
        page = browser.post("/signal/say/", {"say": "set_aside"}, follow=True).content.decode()
    assert "nothing was changed" in page
    assert len(signals()) == 1


@pytest.mark.parametrize("say", ["", "perhaps", "\x00"])
def test_another_word_changes_nothing(alice: Subject, signed_in: SignIn, say: str) -> None:
    assert signed_in(alice).post("/signal/say/", {"say": say}).status_code == 400
    assert signals() == []


def test_only_whoever_is_signed_in_says_something(world: None) -> None:
    assert Client().post("/signal/say/", {"say": "ended"}).status_code == 302
    assert Client().get("/signal/say/").status_code == 405
    assert Client().post("/signal/").status_code == 405


def test_programs_read_that_it_is_honoured_and_since_when(world: None) -> None:
    answer = Client().get("/.well-known/gpc.json")
    assert (answer.status_code, answer["Content-Type"], answer.json()) == (200, "application/json", {"gpc": True})
    gpc_rule()
    day = (AT - timedelta(hours=1)).date().isoformat()
    assert Client().get("/.well-known/gpc.json").json() == {"gpc": True, "lastUpdate": day}


def test_the_day_is_there_with_the_shipped_rulebook(db: None) -> None:
    rules.load(path=rules.RULEBOOKS / "2024-09.toml", by=BY, at=AT)
    assert Client().get("/.well-known/gpc.json").json() == {"gpc": True, "lastUpdate": "2026-03-02"}
    assert [one.slug for one in browser_signals.purposes_denied(jurisdiction="US-CA", at=AT)] == ["marketing"]
    assert browser_signals.purposes_denied(jurisdiction="DE", at=AT) == []

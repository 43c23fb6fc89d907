"""The staff's pages of models, runs, permits and refusals: what they show, who decides, and at what cost."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from consents import holds
from consents.models import Partner, Subject
from consents.vocabulary import Action
from downstream import permits
from downstream.models import Dataset, ExposureDecision, Permit, PermitRefusal, TrainedModel, TrainingRun
from portal import clock
from portal.models import User
from portal.roles import AUDITOR
from tests.conftest import BY, SignIn, staff_member
from tests.downstream.acting import say
from tests.downstream.admin.pressing import do
from tests.downstream.training import ask, caught_up, permitted, ready, trained

pytestmark = pytest.mark.django_db(transaction=True)

LISTS = ("trainedmodel", "trainingrun", "permit", "permitrefusal")
RETRAIN = {"_form_submitted": "True", "kind": "retrain", "due_on": f"{clock.now() + timedelta(days=9):%Y-%m-%d}"}


@pytest.fixture
def posts(alice: Subject, charlie: Subject, acme: Partner, tmp_path: Path) -> Dataset:
    return ready(tmp_path)


@pytest.fixture
def model(posts: Dataset, acme: Partner, alice: Subject) -> TrainedModel:
    """A model that Alice was in, who said no since; and a refused run."""
    trained(posts, partner=acme, at=clock.now())
    say(alice, Action.DENY)
    caught_up(posts, at=clock.now())
    asked = ask("nothing")
    with pytest.raises(permits.PermitRefused) as error:
        permitted(asked, partner=acme, at=clock.now())
    permits.note_refusal(asked=asked, refused=error.value, partner="acme", at=clock.now())
    return TrainedModel.objects.get()


def page(browser: Client, model: str, pk: object = None) -> str:
    address = f"/admin/downstream/{model}/" + (f"{pk}/change/" if pk else "")
    answer = browser.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def decide(browser: Client, model: TrainedModel, sent: dict[str, str]) -> Any:
    return browser.post(reverse("admin:downstream_trainedmodel_decide", args=[model.pk]), sent)


def retire(browser: Client, model: TrainedModel) -> Any:
    return do(browser, "downstream_trainedmodel", "retire", model.pk)


def test_a_model_shows_who_is_exposed_and_what_it_learned_from(
    model: TrainedModel, petra: User, signed_in: SignIn
) -> None:
    browser = signed_in(petra)
    assert "needs a decision" in page(browser, "trainedmodel")
    shown = page(browser, "trainedmodel", model.pk)
    assert "version 1" in shown
    assert "the permit" in shown


def test_a_manager_decides_and_the_page_says_so(model: TrainedModel, petra: User, signed_in: SignIn) -> None:
    browser = signed_in(petra)
    assert "Models that wait for a decision" in browser.get("/admin/").content.decode()
    assert decide(browser, model, RETRAIN)["HX-Redirect"]
    decision = ExposureDecision.objects.get()
    assert (decision.kind, decision.exposed, decision.decided_by) == ("retrain", 1, f"staff:{petra.pk}")
    shown = page(browser, "trainedmodel", model.pk)
    assert "train it anew" in shown
    assert "needs a decision" not in shown


def test_half_a_decision_says_what_is_missing(model: TrainedModel, petra: User, signed_in: SignIn) -> None:
    browser = signed_in(petra)
    assert decide(browser, model, {"_form_submitted": "True", "kind": "accepted"})["HX-Redirect"]
    assert "Say why it may stay" in page(browser, "trainedmodel", model.pk)
    assert not ExposureDecision.objects.exists()


def test_a_model_is_retired_once_and_decided_about_no_more(model: TrainedModel, petra: User, signed_in: SignIn) -> None:
    browser = signed_in(petra)
    assert retire(browser, model)["HX-Redirect"]
    model.refresh_from_db()
    assert model.retired_by == f"staff:{petra.pk}"
    assert retire(browser, model).status_code == 403
    assert decide(browser, model, RETRAIN).status_code == 403


@pytest.mark.parametrize("who", ["bob", "ada"])
def test_nobody_but_a_manager_decides_or_retires(model: TrainedModel, bob: User, signed_in: SignIn, who: str) -> None:
    user = bob if who == "bob" else staff_member("ada", AUDITOR)
    browser = signed_in(user)
    assert decide(browser, model, RETRAIN).status_code == 403
    assert retire(browser, model).status_code == 403
    assert not ExposureDecision.objects.exists()


def test_there_is_nothing_to_decide_where_nobody_is_exposed(
    posts: Dataset, acme: Partner, petra: User, signed_in: SignIn
) -> None:
    trained(posts, partner=acme, at=clock.now())
    assert decide(signed_in(petra), TrainedModel.objects.get(), RETRAIN).status_code == 403


def test_a_permit_shows_its_state_with_the_reasons(
    posts: Dataset, acme: Partner, petra: User, signed_in: SignIn
) -> None:
    permit, browser = permitted(ask(posts), partner=acme, at=clock.now()), signed_in(petra)
    assert "valid" in page(browser, "permit")
    Dataset.objects.update(retired_at=clock.now())
    assert "would be refused now" in page(browser, "permit", permit.pk)
    hold = holds.open(scope=holds.HoldScope(), reason="ICO", by=BY, at=clock.now())
    assert "void" in page(browser, "permit")
    assert reverse("admin:consents_hold_change", args=[hold.pk]) in page(browser, "permit", permit.pk)


def test_whoever_opens_a_hold_is_shown_first_which_permits_it_ends(
    posts: Dataset, acme: Partner, petra: User, signed_in: SignIn
) -> None:
    permitted(ask(posts), partner=acme, at=clock.now())
    browser = signed_in(petra)
    asked = {"jurisdictions": "GB", "authority": "ICO", "reason": "They asked us to"}
    shown = browser.post("/admin/consents/hold/add/", asked)
    assert shown.context["effect"]["permits"] == 1
    assert "1 training permit is void at once" in shown.content.decode()
    elsewhere = browser.post("/admin/consents/hold/add/", asked | {"purposes": ["marketing"]})
    assert elsewhere.context["effect"]["permits"] == 0


def test_a_refused_run_shows_every_reason(model: TrainedModel, petra: User, signed_in: SignIn) -> None:
    browser = signed_in(petra)
    assert "unknown_dataset" in page(browser, "permitrefusal")
    shown = page(browser, "permitrefusal", PermitRefusal.objects.get().pk)
    assert "There is no such dataset" in shown


def test_a_run_without_a_permit_stands_out(model: TrainedModel, petra: User, signed_in: SignIn) -> None:
    TrainingRun.objects.create(name="wild", model=model, partner="acme", recorded_at=clock.now())
    assert "none asked for" in page(signed_in(petra), "trainingrun")


@pytest.mark.parametrize("name", LISTS)
def test_a_list_costs_no_query_for_each_row(
    model: TrainedModel, posts: Dataset, acme: Partner, petra: User, signed_in: SignIn, name: str
) -> None:
    browser = signed_in(petra)
    page(browser, name)
    with CaptureQueriesContext(
        connection,
    ) as few:
        page(browser, name)
    for number in range(4):
        trained(posts, partner=acme, at=clock.now(), model=f"model-{number}")
        refusal = PermitRefusal.objects.first()
        assert refusal is not None
        PermitRefusal.objects.create(
            **{field.name: getattr(refusal, field.name) for field in PermitRefusal._meta.fields if field.name != "id"}
        )
    with CaptureQueriesContext(connection) as many:
        page(browser, name)
    assert len(many) <= len(few)


@pytest.mark.parametrize("name", LISTS)
def test_a_role_sees_what_it_may_and_nobody_changes_anything(
    model: TrainedModel, bob: User, petra: User, signed_in: SignIn, name: str
) -> None:
    one: Any = {"trainedmodel": TrainedModel, "trainingrun": TrainingRun, "permit": Permit}.get(name, PermitRefusal)
    pk = one.objects.get().pk
    assert page(signed_in(bob), name, pk)
    assert signed_in(staff_member("nemo", None)).get(f"/admin/downstream/{name}/").status_code == 403
    before = list(one.objects.values())
    browser = signed_in(petra)
    for path in ("change", "delete"):
        answer = browser.post(f"/admin/downstream/{name}/{pk}/{path}/", {"post": "yes", "name": "x"})
        assert answer.status_code in {302, 403}
    assert browser.get(f"/admin/downstream/{name}/add/").status_code == 403
    assert list(one.objects.values()) == before


@pytest.mark.parametrize("action", ["decide", "retire"])
@pytest.mark.parametrize("pk", ["nonsense", "00000000-0000-0000-0000-000000000000"])
def test_an_action_on_a_bad_id_is_refused(world: None, petra: User, signed_in: SignIn, action: str, pk: str) -> None:
    address = reverse(f"admin:downstream_trainedmodel_{action}", args=[pk])
    assert signed_in(petra).post(address, RETRAIN).status_code in {302, 403, 404}


def test_a_void_permit_names_its_hold_in_words(posts: Dataset, acme: Partner, petra: User, signed_in: SignIn) -> None:
    permit = permitted(ask(posts), partner=acme, at=clock.now())
    holds.open(scope=holds.HoldScope(jurisdictions=["CH"]), reason="FDPIC", by=BY, at=clock.now())
    assert "every purpose · Switzerland" in page(signed_in(petra), "permit", permit.pk)


def test_beside_the_deeds_of_one_row_there_is_no_button_for_another(petra: User, signed_in: SignIn) -> None:
    hold = holds.open(scope=holds.HoldScope(), reason="ICO", by=BY, at=clock.now())
    browser = signed_in(petra)
    assert "addlink" in browser.get("/admin/consents/hold/").content.decode()
    shown = browser.get(reverse("admin:consents_hold_change", args=[hold.pk])).content.decode()
    assert "Ask to lift" in shown
    assert "addlink" not in shown

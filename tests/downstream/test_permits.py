"""A training run begins with every condition met, or is told all that are not; and a pause ends its permit at once."""

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from joserfc import jws
from joserfc.jwk import KeySet, OKPKey
from standardwebhooks import Webhook

from consents import holds, notices, rules
from consents.models import Hold, Partner, Purpose, Subject
from consents.vocabulary import Action
from downstream import permits, readiness, versions, webhook_sending, webhooks
from downstream.models import (
    Dataset,
    Permit,
    PermitEvent,
    PermitRefusal,
    Propagation,
    TrainingRun,
)
from downstream.propagation_states import Status
from portal import clock, signing
from portal.errors import DomainError, NotFound
from portal.models import AuditEntry
from tests.conftest import AT, BY, OTHER, partner, person, sequenced
from tests.consents.test_rules import PROPOSAL
from tests.downstream import listener
from tests.downstream.acting import LATER, Holder, planned, run_all, say
from tests.downstream.listener import Listener
from tests.downstream.training import (
    ask,
    caught_up,
    finish,
    grown,
    held_by_another,
    looked_again,
    permitted,
    ready,
    refused,
    trained,
)

pytestmark = pytest.mark.django_db(transaction=True)

NOW = LATER + timedelta(minutes=1)
TOMORROW = NOW + timedelta(hours=25)


@pytest.fixture
def posts(alice: Subject, charlie: Subject, acme: Partner, tmp_path: Path) -> Dataset:
    return ready(tmp_path)


def pause(**scope: Any) -> Hold:
    hold = holds.open(scope=holds.HoldScope(**scope), reason="ICO", by=BY, at=NOW)
    sequenced()
    return hold


def lift(hold: Hold) -> None:
    holds.ask_to_lift(hold=hold, by=BY, at=NOW)
    holds.lift(hold=hold, by=OTHER, at=NOW + timedelta(seconds=1))


def test_a_permit_says_what_may_be_trained_on_and_verifies_offline(
    posts: Dataset, acme: Partner, settings: Any
) -> None:
    permit = permitted(ask(posts), partner=acme, at=NOW)
    opened, claims = _opened(permit), _claims(permit)
    version = posts.versions.get()
    # nobody was to be removed: its dataset has moved on alone
    assert version.position < posts.position
    assert opened.headers()["typ"] == "heed-permit+jwt"
    assert (claims["iss"], claims["jti"]) == (settings.SITE_URL, str(permit.pk))
    assert claims["exp"] - claims["iat"] == 24 * 3600
    assert (claims["model"]["name"], claims["purpose"], claims["run"]["name"]) == ("writer", "ai-training", "run-1")
    (used,) = claims["datasets"]
    assert (used["dataset"], used["version"], used["digest"]) == ("posts", 1, version.manifest_digest)
    assert used["position"] == claims["position"] == permit.position
    assert permits.standing(permit, at=NOW).state == permits.VALID
    assert AuditEntry.objects.get(action="permit.issue").actor == "partner:acme"


def _opened(permit: Permit) -> jws.CompactSignature:
    published = KeySet([OKPKey.import_key(one) for one in signing.jwks()["keys"]])
    return jws.deserialize_compact(permit.jws, published, algorithms=["Ed25519"])


def _claims(permit: Permit) -> dict[str, Any]:
    claims: dict[str, Any] = json.loads(_opened(permit).payload or b"")
    return claims


def test_every_reason_is_told_at_once(posts: Dataset, acme: Partner, tmp_path: Path) -> None:
    ready(tmp_path, "letters", purposes=("marketing",))
    Dataset.objects.filter(slug="posts").update(retired_at=NOW)
    wanted = (("posts", 7), ("letters", None), ("nothing", None))
    assert refused(ask(datasets=wanted), partner=acme, at=NOW) == [
        ("retired", "posts"),
        ("unknown_version", "posts"),
        ("purpose_not_served", "letters"),
        ("unknown_dataset", "nothing"),
    ]
    assert not Permit.objects.exists()
    assert not TrainingRun.objects.exists()


class TestVersions:
    def test_a_dataset_from_before_there_were_versions_is_refused(self, posts: Dataset, acme: Partner) -> None:
        posts.pk, posts.slug, posts.location = None, "old", f"{posts.location}-of-old"
        posts.save()
        assert refused(ask("old"), partner=acme, at=NOW) == [("no_version", "old")]

    def test_a_version_that_somebody_left_since_is_refused_and_the_newest_is_not(
        self, posts: Dataset, alice: Subject, acme: Partner
    ) -> None:
        say(alice, Action.DENY)
        caught_up(posts)
        assert permitted(ask(posts), partner=acme, at=NOW)
        asked = ask(datasets=(("posts", 1),))
        assert refused(asked, partner=acme, at=NOW) == [("people_left_since", "posts")]

    def test_a_version_in_which_nobody_was_looked_for_since_a_no_is_refused_unless_it_is_the_newest_content(
        self, posts: Dataset, acme: Partner
    ) -> None:
        asked = ask(datasets=(("posts", 1),))
        same = looked_again(posts)
        permit = permitted(asked, partner=acme, at=NOW)
        assert _claims(permit)["datasets"][0]["version"] == 1
        assert _claims(permit)["datasets"][0]["position"] == same.position == permit.position
        grown(posts, at=NOW)
        looked_again(posts)
        assert refused(asked, partner=acme, at=NOW) == [("not_looked_since", "posts")]

    def test_what_came_in_by_others_is_refused_until_somebody_looked_through_it(
        self, posts: Dataset, alice: Subject, acme: Partner
    ) -> None:
        say(alice, Action.DENY)
        caught_up(posts)
        clean = versions.newest(posts)
        arrived = grown(posts, "m_alice", "m_nobody", at=NOW)
        assert clean is not None
        of_clean, of_arrived = (ask(datasets=(("posts", one.number),)) for one in (clean, arrived))
        assert (arrived.has_arrivals, arrived.position) == (True, 0)
        assert refused(ask(posts), partner=acme, at=NOW) == [("not_looked_through", "posts")]
        assert permitted(of_clean, partner=acme, at=NOW), "what was there before is as clean as it was"
        caught_up(posts)
        assert permitted(ask(posts), partner=acme, at=NOW)
        assert permitted(of_clean, partner=acme, at=NOW), "nobody said no since"
        assert refused(of_arrived, partner=acme, at=NOW) == [("not_looked_through", "posts")]

    def test_what_came_in_is_fine_once_nobody_was_found_in_it(self, posts: Dataset, acme: Partner) -> None:
        arrived = grown(posts, "m_nobody", at=NOW)
        asked = ask(datasets=(("posts", arrived.number),))
        assert refused(asked, partner=acme, at=NOW) == [("not_looked_through", "posts")]
        caught_up(posts)
        assert permitted(asked, partner=acme, at=NOW)

    def test_a_version_from_before_rows_were_paused_is_refused_also_if_the_run_went_back(
        self, posts: Dataset, alice: Subject, acme: Partner
    ) -> None:
        looked_again(posts)
        grown(posts, at=NOW)
        caught_up(posts)
        before = versions.newest(posts)
        assert before is not None
        # as `registry.name_created_column` sets it back
        Dataset.objects.update(position=before.position - 2)
        grown(posts, at=NOW)
        caught_up(posts)
        asked = ask(datasets=(("posts", before.number),))
        assert refused(asked, partner=acme, at=NOW) == [("not_looked_since", "posts")]

    def test_a_no_that_waits_is_no_obstacle_until_its_deadline(
        self, posts: Dataset, alice: Subject, acme: Partner
    ) -> None:
        say(alice, Action.DENY)
        assert permitted(ask(posts), partner=acme, at=NOW)
        assert refused(ask(posts), partner=acme, at=TOMORROW) == [("behind", "posts")]
        run = planned()
        assert permitted(ask(posts), partner=acme, at=NOW)
        assert refused(ask(posts), partner=acme, at=run.deadline + timedelta(seconds=1)) == [
            ("propagation_late", "posts")
        ]

    @pytest.mark.parametrize("status", [Status.WORKING, Status.FAILED, Status.STOPPED])
    def test_work_past_its_deadline_is_late_in_whatever_state(
        self, posts: Dataset, alice: Subject, acme: Partner, status: str
    ) -> None:
        say(alice, Action.DENY)
        run = planned()
        for step in (Status.WORKING, status):
            Propagation.objects.filter(pk=run.pk).update(status=step)
        assert refused(ask(posts), partner=acme, at=TOMORROW) == [("propagation_late", "posts")]

    def test_what_is_said_of_other_purposes_does_not_hold_it_up(
        self, posts: Dataset, alice: Subject, acme: Partner
    ) -> None:
        say(alice, Action.DENY, "marketing")
        assert permitted(ask(posts), partner=acme, at=TOMORROW)

    def test_a_dataset_in_which_nobody_was_looked_for_is_refused(self, posts: Dataset, acme: Partner) -> None:
        Dataset.objects.update(position=0)
        assert ("not_verified", "posts") in refused(ask(posts), partner=acme, at=NOW)


class TestHolds:
    def test_a_hold_stops_training_until_it_is_carried_out_and_then_the_rest_may_be_used(
        self, posts: Dataset, grace: Subject, acme: Partner
    ) -> None:
        pause(jurisdictions=["GB"])
        assert refused(ask(posts), partner=acme, at=NOW) == [("hold_not_carried_out", "posts")]
        caught_up(posts)
        permit = permitted(ask(posts), partner=acme, at=NOW + timedelta(seconds=1))
        assert permits.standing(permit, at=NOW).state == permits.VALID

    def test_a_hold_without_a_place_in_the_log_is_not_carried_out(self, posts: Dataset, acme: Partner) -> None:
        holds.open(scope=holds.HoldScope(jurisdictions=["GB"]), reason="ICO", by=BY, at=NOW)
        assert refused(ask(posts), partner=acme, at=NOW) == [("hold_not_carried_out", "posts")]

    def test_a_hold_on_everybody_leaves_nothing_to_be_used(self, posts: Dataset, acme: Partner) -> None:
        hold = pause(purposes=["ai-training"])
        caught_up(posts)
        assert refused(ask(posts), partner=acme, at=NOW) == [("hold_on_everything", "posts")]
        lift(hold)
        assert permitted(ask(posts), partner=acme, at=NOW + timedelta(minutes=1))

    @pytest.mark.parametrize("scope", [{"purposes": ["marketing"]}, {"recipients": ["northlight"]}])
    def test_a_hold_elsewhere_does_not_matter(self, posts: Dataset, acme: Partner, scope: dict[str, list[str]]) -> None:
        permit = permitted(ask(posts), partner=acme, at=NOW)
        pause(**scope)
        assert permits.standing(permit, at=NOW).state == permits.VALID
        assert permitted(ask(posts), partner=acme, at=NOW)

    def test_a_hold_over_a_span_that_a_dataset_cannot_tell_is_a_gap(self, posts: Dataset, acme: Partner) -> None:
        pause(data_from=AT - timedelta(days=9))
        caught_up(posts)
        assert refused(ask(posts), partner=acme, at=NOW) == [("gap", "posts")]


class TestRules:
    def test_use_by_default_needs_a_notice_that_is_effective(self, posts: Dataset, acme: Partner) -> None:
        notices.publish(draft=_notice(AT), by=BY, at=AT)
        caught_up(posts)
        assert refused(ask(posts), partner=acme, at=NOW) == [("notice_not_over", "")]
        assert permitted(ask(posts), partner=acme, at=NOW + timedelta(days=31))

    def test_a_rule_of_a_place_where_nobody_lives_is_not_relied_on(self, posts: Dataset, acme: Partner) -> None:
        notices.publish(draft=_notice(AT, slug="japan"), by=BY, at=AT)
        rule = {**PROPOSAL.__dict__, "jurisdiction": "JP", "notice": "japan", "notice_days": 30, "default": "allow"}
        rule |= {"purpose": "ai-training", "legal_basis": "legitimate_interest", "effective_from": AT}
        rules.enact(proposal=rules.Proposal(**rule), by=BY, at=AT)
        caught_up(posts)
        assert permitted(ask(posts), partner=acme, at=NOW)
        person("hana", "JP")
        caught_up(posts)
        assert refused(ask(posts), partner=acme, at=NOW) == [("notice_not_over", "")]

    def test_a_purpose_without_any_rule_cannot_be_told(self, world: None) -> None:
        Purpose.objects.create(slug="research", name="Research", description="", dpv_term="")
        assert [one.code for one in readiness.of_rules(readiness.Use("research", "linkwell"), at=NOW)] == ["no_rule"]


def _notice(at: Any, slug: str = "ai-training") -> notices.Draft:
    return notices.Draft(slug=slug, texts={"en": ("New", "More.")}, published_at=at, effective_at=at)


class TestWhatCannotBeTold:
    def test_people_whom_nobody_can_name_are_a_gap(self, posts: Dataset, acme: Partner, world: None) -> None:
        Dataset.objects.update(key_scheme="device")
        say(person("dora"), Action.DENY)
        caught_up(posts)
        assert refused(ask(posts), partner=acme, at=NOW) == [("gap", "posts")]

    @pytest.mark.parametrize(
        ("found", "code"),
        [
            ({"disallowed": 2}, "rows_say_no"),
            ({"failed": "io", "reason": "x"}, "statements_unread"),
            ({}, "statements_unread"),
        ],
    )
    def test_rows_that_say_no_themselves_are_heard(
        self, posts: Dataset, acme: Partner, found: dict[str, Any], code: str
    ) -> None:
        read_at = NOW if found else None
        Dataset.objects.update(
            options={"content_usage_column": "usage"}, row_statements=found, statements_read_at=read_at
        )
        assert refused(ask(posts), partner=acme, at=NOW) == [(code, "posts")]
        Dataset.objects.update(row_statements={"disallowed": 0}, statements_read_at=NOW)
        assert permitted(ask(posts), partner=acme, at=NOW)


class TestWhoseDatasets:
    @pytest.mark.parametrize("version", [None, 1])
    def test_what_somebody_else_holds_has_no_permits(self, posts: Dataset, acme: Partner, version: int | None) -> None:
        held_by_another()
        asked = ask(datasets=(("posts", None), ("copy", version)))
        assert refused(asked, partner=acme, at=NOW) == [("held_by_another", "copy")]

    def test_a_dataset_of_another_recipient_is_refused_even_to_who_speaks_for_both(
        self, posts: Dataset, acme: Partner
    ) -> None:
        asked = ask(posts, recipient="northlight")
        assert refused(asked, partner=acme, at=NOW) == [("other_owner", "posts")]

    def test_and_unknown_to_who_does_not_speak_for_its_owner(self, posts: Dataset) -> None:
        stranger = partner("stranger", recipients=["northlight"], schemes=["account"])
        there = refused(ask(posts, recipient="northlight"), partner=stranger, at=NOW)
        assert there == [("unknown_dataset", "posts")]

    def test_a_dataset_named_twice_is_a_mistake(self, posts: Dataset, acme: Partner) -> None:
        with pytest.raises(DomainError, match="once"):
            permitted(ask(posts, posts), partner=acme, at=NOW)

    def test_an_unknown_purpose_is_not_found(self, posts: Dataset, acme: Partner) -> None:
        with pytest.raises(NotFound, match="purpose"):
            permitted(ask(posts, purpose="mining"), partner=acme, at=NOW)


class TestWhatBecomesOfAPermit:
    def test_a_hold_makes_it_void_at_once_and_for_good(self, posts: Dataset, acme: Partner) -> None:
        permit = permitted(ask(posts), partner=acme, at=LATER)
        hold = holds.open(scope=holds.HoldScope(jurisdictions=["GB"]), reason="ICO", by=BY, at=NOW)
        found = permits.standing(permit, at=NOW)
        assert (found.state, found.since, found.hold) == (permits.VOID, NOW, hold)
        lift(hold)
        assert permits.standing(permit, at=NOW + timedelta(minutes=1)).state == permits.VOID

    def test_also_one_that_a_slower_clock_dated_before_it(self, posts: Dataset, acme: Partner) -> None:
        permit = permitted(ask(posts), partner=acme, at=NOW)
        holds.open(scope=holds.HoldScope(), reason="ICO", by=BY, at=NOW - timedelta(seconds=30))
        found = permits.standing(permit, at=NOW)
        assert (found.state, found.since) == (permits.VOID, NOW)

    def test_also_one_that_is_committed_while_the_permit_is_given(self, posts: Dataset, acme: Partner) -> None:
        began, may_commit = threading.Event(), threading.Event()

        def open_slowly() -> None:
            with transaction.atomic():
                holds.open(scope=holds.HoldScope(), reason="ICO", by=BY, at=LATER)
                began.set()
                may_commit.wait(30)

        slow = Holder(open_slowly)
        assert began.wait(30)
        permit = permitted(ask(posts), partner=acme, at=NOW)
        assert permits.standing(permit, at=NOW).state == permits.VALID
        may_commit.set()
        slow.ended()
        assert permits.standing(permit, at=NOW).state == permits.VOID

    def test_it_expires(self, posts: Dataset, acme: Partner) -> None:
        permit = permitted(ask(posts), partner=acme, at=NOW)
        found = permits.standing(permit, at=TOMORROW)
        assert (found.state, found.since) == (permits.EXPIRED, permit.expires_at)
        holds.open(scope=holds.HoldScope(), reason="ICO", by=BY, at=TOMORROW)
        assert permits.standing(permit, at=TOMORROW).state == permits.EXPIRED

    def test_it_is_completed_and_no_later_hold_changes_that(self, posts: Dataset, acme: Partner) -> None:
        run = trained(posts, partner=acme, at=LATER)
        holds.open(scope=holds.HoldScope(), reason="ICO", by=BY, at=NOW)
        permit = Permit.objects.get(run=run)
        assert permits.standing(permit, at=NOW).state == permits.COMPLETED

    def test_what_was_void_stays_void_when_its_run_finishes_all_the_same(self, posts: Dataset, acme: Partner) -> None:
        permit = permitted(ask(posts), partner=acme, at=LATER)
        holds.open(scope=holds.HoldScope(), reason="ICO", by=BY, at=NOW)
        finish(permit.run, at=NOW + timedelta(minutes=1))
        assert permits.standing(Permit.objects.get(), at=NOW).state == permits.VOID

    def test_a_valid_one_says_what_has_become_stale(self, posts: Dataset, alice: Subject, acme: Partner) -> None:
        permit = permitted(ask(posts), partner=acme, at=NOW)
        assert permits.standing(permit, at=NOW).stale == ()
        say(alice, Action.DENY)
        caught_up(posts)
        found = permits.standing(permit, at=NOW)
        assert (found.state, [one.code for one in found.stale]) == (permits.VALID, ["people_left_since"])


class TestTheTurn:
    @pytest.fixture
    def hooks(self, acme: Partner) -> Iterator[dict[str, tuple[Listener, str]]]:
        """Acme's address, a stranger's, and one of acme's that asked for other news; each with its secret."""
        stranger = partner("stranger", recipients=["northlight"], schemes=["account"])
        wanted = {"acme": (acme, "permit.void"), "stranger": (stranger, "permit.void"), "deaf": (acme, "hold.lifted")}
        with ExitStack() as stack:
            found = {}
            for name, (who, event) in wanted.items():
                heard = stack.enter_context(listener.running())
                found[name] = (
                    heard,
                    webhooks.subscribe(partner=who, url=heard.url, events=[event], by=BY, at=AT)[1],
                )
            yield found

    def test_it_writes_down_once_what_a_hold_has_made_void(self, posts: Dataset, acme: Partner) -> None:
        permit = permitted(ask(posts), partner=acme, at=LATER)
        trained(posts, partner=acme, at=LATER)
        assert permits.mark_void(at=LATER) == []
        hold = holds.open(scope=holds.HoldScope(), reason="ICO", by=BY, at=NOW)
        (event,) = permits.mark_void(at=NOW)
        assert permits.mark_void(at=NOW) == []
        assert PermitEvent.objects.get() == event
        assert (event.permit, event.kind, event.partner) == (permit, "permit.void", "acme")
        assert (event.payload["permit"], event.payload["reason"]["hold"]) == (str(permit.pk), str(hold.pk))
        assert "ICO" not in json.dumps(event.payload)
        assert AuditEntry.objects.filter(action="permit.void", object_id=str(permit.pk)).count() == 1

    def test_who_speaks_for_the_models_owner_is_told_and_nobody_else(
        self, posts: Dataset, acme: Partner, hooks: dict[str, tuple[Listener, str]]
    ) -> None:
        at = clock.now()
        permit = permitted(ask(posts), partner=acme, at=at)
        hold = holds.open(scope=holds.HoldScope(), reason="ICO", by=BY, at=at)
        for _ in range(2):
            permits.mark_void(at=at)
            webhook_sending.deliver(clock=lambda: at, seconds=5)
        heard, secret = hooks["acme"]
        ((headers, body),) = heard.heard
        told = Webhook(secret).verify(body, headers)
        ids = {"permit": permit.pk, "run": permit.run_id, "model": permit.run.model_id, "hold": hold.pk}
        assert (told["type"], told["data"]) == ("permit.void", {name: str(one) for name, one in ids.items()})
        assert hooks["stranger"][0].heard == hooks["deaf"][0].heard == []

    def test_many_permits_cost_no_query_more(
        self, posts: Dataset, acme: Partner, django_assert_num_queries: Any
    ) -> None:
        for _ in range(5):
            permitted(ask(posts), partner=acme, at=LATER)
        every = list(Permit.objects.select_related("run__model"))
        with django_assert_num_queries(1):
            permits.standing_of(every, at=NOW)


def test_a_refusal_is_written_down_with_its_reasons(posts: Dataset, acme: Partner) -> None:
    asked = ask("nothing")
    with pytest.raises(permits.PermitRefused) as error:
        permitted(asked, partner=acme, at=NOW)
    row = permits.note_refusal(asked=asked, refused=error.value, partner="acme", at=NOW)
    assert PermitRefusal.objects.get() == row
    assert (row.datasets, row.reasons[0]["code"]) == ([{"dataset": "nothing", "version": None}], "unknown_dataset")
    assert AuditEntry.objects.get(action="permit.refuse").details == {"codes": ["unknown_dataset"]}


def test_a_retired_model_is_not_trained_again(posts: Dataset, acme: Partner) -> None:
    run = trained(posts, partner=acme, at=NOW)
    run.model.retired_at, run.model.retired_by = NOW, BY
    run.model.save()
    assert refused(ask(posts), partner=acme, at=NOW) == [("model_retired", "")]
    assert run_all() == []

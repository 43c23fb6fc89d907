"""What each format must have, by its standard."""

import io
from typing import Any

import pypdf
import pytest

from consents import amendments, ledger, rules, subjects
from consents.models import LedgerEvent, Recipient, Subject
from consents.receipts import issuing, pdf, terms, verifying
from consents.vocabulary import Action, Kind
from portal.errors import NotFound
from tests.conftest import AT, BY, person
from tests.consents.asking import say
from tests.consents.receipts.issued import BASE, document, issue, sealed

pytestmark = pytest.mark.django_db


def process(event: LedgerEvent, **options: Any) -> dict[str, Any]:
    found: dict[str, Any] = document(event, **options)["dpv:hasProcess"][0]
    return found


def test_the_json_ld_has_every_field_of_27560(alice: Subject) -> None:
    event = say(alice, Action.DENY)
    found = document(event)
    assert found["dct:conformsTo"] == "https://w3id.org/dpv/schema/dpv-27560#receipt"
    assert found["@context"]["dpv"] == "https://w3id.org/dpv#"
    assert found["dpv:hasIdentifier"] == str(event.pk)
    assert found["dct:identifier"] == ledger.reference(event.pk)
    assert found["dpv:hasDataSubject"]["dpv:hasIdentifier"] == str(alice.pk)
    assert found["dct:language"] == "en"
    told = found["dpv:hasProcess"][0]
    assert told["dpv:hasPurpose"][0]["skos:prefLabel"] == "Use my data to train AI"
    assert told["dpv:hasPurpose"][0]["skos:broader"] == ["dpv:ResearchAndDevelopment", "heed:ModelTraining"]
    assert told["dpv:hasProcessing"][0]["skos:broader"] == ["ai:ModelTraining"]
    assert told["dpv:hasProcessing"][0]["dpv:hasData"] == ["ai:TrainingData"]
    assert told["dpv:hasLegalBasis"] == ["eu-gdpr:A6-1-f"]
    assert told["dpv:hasPersonalData"][0]["skos:broader"] == ["pd:SocialMediaCommunication"]
    assert told["dpv:hasDataController"] == ["heed:recipient/linkwell"] == told["dpv:hasRecipient"]
    assert told["dpv:hasStorageCondition"][0]["dpv:hasLocation"] == "loc:US"
    assert told["dpv:hasStorageCondition"][1]["dpv:hasDuration"]["rdf:value"]
    assert told["dpv:hasJurisdiction"] == ["loc:US"]
    assert told["dpv:hasConsentControl"][0]["dpv:isExercisedAt"] == f"{BASE}/choices/"
    status = told["dpv:hasConsentStatus"][0]
    assert status["@type"] == ["dpv:OptingOutFromProcess"]
    assert status["dpv:isIndicatedBy"] == "dpv:DataSubject"
    assert status["dpv:hasIndicationMethod"] == "on these pages"
    assert found["dpv:hasEntity"]["heed:recipient/linkwell"]["dpv:hasName"] == "Linkwell"


def test_a_receipt_names_nobody(alice: Subject) -> None:
    for wanted in issuing.Format.values:
        receipt = issue(say(alice, Action.DENY), wanted)
        assert b"m_alice" not in receipt
        assert b"alice@example.org" not in receipt


@pytest.mark.parametrize(
    ("action", "purpose", "state"),
    [
        (Action.GRANT, "marketing", "dpv:ConsentGiven"),
        (Action.DENY, "marketing", "dpv:ConsentRefused"),
        (Action.WITHDRAW, "marketing", "dpv:ConsentWithdrawn"),
        (Action.GRANT, "ai-training", "dpv:OptingInToProcess"),
        (Action.DENY, "ai-training", "dpv:OptingOutFromProcess"),
        (Action.OBJECT, "ai-training", "dpv:ObjectingToProcess"),
        (Action.RESTRICT, "ai-training", "heed:RestrictingProcess"),
    ],
)
def test_the_state_is_one_of_consent_only_where_consent_is_the_basis(
    alice: Subject, action: Action, purpose: str, state: str
) -> None:
    assert process(say(alice, action, purpose))["dpv:hasConsentStatus"][0]["@type"] == [state]


def test_every_action_has_its_words_in_both_standards() -> None:
    for action in Action:
        assert terms.states(Kind.CHOICE, action)
        assert terms.consent_type(Kind.CHOICE, action)
    assert terms.states(Kind.EXPIRY, Action.GRANT)[0] == "dpv:ConsentExpired"
    assert terms.consent_type(Kind.EXPIRY, "") == "EXPIRED"


def test_an_agreement_tells_until_when_it_holds(alice: Subject) -> None:
    lasting = process(say(alice, Action.GRANT, "marketing"))["dpv:hasConsentStatus"][0]["dpv:hasDuration"]
    assert lasting == {"@type": ["dpv:UntilTimeDuration"], "rdf:value": "2027-03-02T12:00:00+00:00"}


@pytest.mark.parametrize(
    ("jurisdiction", "purpose", "some", "none"),
    [
        ("DE", "ai-training", {"eu-gdpr:A21", "eu-gdpr:A77", "eu-gdpr:A13"}, {"eu-gdpr:A7-3"}),
        ("GB", "marketing", {"eu-gdpr:A7-3", "eu-gdpr:A20", "eu-gdpr:A77"}, {"eu-gdpr:A21"}),
    ],
)
def test_rights_are_those_of_the_law_and_the_basis(
    world: None, jurisdiction: str, purpose: str, some: set[str], none: set[str]
) -> None:
    told = process(say(person("berta", jurisdiction), Action.DENY, purpose))
    assert some <= set(told["dpv:hasRight"])
    assert none.isdisjoint(told["dpv:hasRight"])
    assert told["dpv:hasAuthority"][0]["dpv:hasName"]


def test_where_the_gdpr_is_no_law_its_articles_are_not_promised(alice: Subject) -> None:
    told = process(say(alice, Action.DENY))
    assert (told["dpv:hasRight"], told["dpv:hasAuthority"]) == ([], [])


def test_the_notice_that_was_shown_is_named_with_its_language(alice: Subject) -> None:
    origin = ledger.Origin(source="self_service", by=f"subject:{alice.pk}", notice="ai-training/1")
    event = ledger.record(subject=alice, scope=ledger.Scope("ai-training"), action=Action.DENY, origin=origin, at=AT)
    notice = document(event)["dpv:hasNotice"][0]
    assert (notice["dpv:hasIdentifier"], notice["dct:title"], notice["dct:language"]) == (
        *("ai-training/1", "How we train AI", "en"),
    )
    assert notice["dpv:hasLocation"] == f"{BASE}/notices/ai-training/1/"
    assert document(event, "kantara")["policyUrl"] == f"{BASE}/notices/ai-training/1/"


@pytest.mark.parametrize("named", ["ours", "x/y", "ai-training/99", "/1", "ai-training/¹", "a/" + "9" * 70])
def test_a_partners_own_notice_is_named_as_it_came(alice: Subject, named: str) -> None:
    origin = ledger.Origin(source="partner", by="partner:acme", notice=named)
    event = ledger.record(subject=alice, scope=ledger.Scope("ai-training"), action=Action.DENY, origin=origin, at=AT)
    assert document(event)["dpv:hasNotice"] == [{"@type": ["dpv:ConsentNotice"], "dpv:hasIdentifier": named}]
    assert verifying.verify(issue(event)).valid


def test_the_rule_is_the_one_of_the_time(alice: Subject) -> None:
    event = say(alice, Action.DENY)
    before = process(event)["heed:hasRule"]
    later = rules.Proposal(
        jurisdiction="US",
        purpose="ai-training",
        legal_basis="consent",
        default="deny",
        explanation="Off.",
        source="test",
        effective_from=AT,
    )
    rules.enact(proposal=later, by=BY, at=AT.replace(year=2027))
    assert process(event)["heed:hasRule"] == before
    assert process(event)["dpv:hasLegalBasis"] == ["eu-gdpr:A6-1-f"]


def test_the_country_is_the_one_of_the_time(alice: Subject) -> None:
    event = say(alice, Action.DENY)
    amendments.amend(subject=alice, jurisdiction="GB", by=BY, at=AT.replace(month=4, day=2))
    # the second correction comes from a slower clock, and is the second all the same
    amendments.amend(subject=alice, jurisdiction="DE", by=BY, at=AT.replace(month=4, day=1))
    assert process(event)["dpv:hasJurisdiction"] == ["loc:US"]
    assert process(say(alice, Action.DENY, at=AT.replace(month=5)))["dpv:hasJurisdiction"] == ["loc:DE"]


def test_one_recipient_and_one_category_are_named_alone(alice: Subject) -> None:
    told = process(say(alice, Action.DENY, recipient="northlight", category="messages"))
    assert told["dpv:hasRecipient"] == ["heed:recipient/northlight"]
    assert [one["dpv:hasIdentifier"] for one in told["dpv:hasPersonalData"]] == ["messages"]


def test_a_restriction_of_everything_has_a_receipt(alice: Subject) -> None:
    told = process(say(alice, Action.RESTRICT, ""))
    assert told["dpv:hasPurpose"][0]["skos:prefLabel"] == "every purpose"
    assert (told["dpv:hasLegalBasis"], told["heed:hasRule"]) == ([], None)
    for wanted in issuing.Format.values:
        assert verifying.verify(issue(say(alice, Action.RESTRICT, ""), wanted)).valid


def test_the_kantara_receipt_has_every_required_member(alice: Subject) -> None:
    event = say(alice, Action.DENY, "ai-training/affiliates")
    found = document(event, "kantara")
    assert found["version"] == "KI-CR-v1.1.0"
    assert found["consentTimestamp"] == int(AT.timestamp())
    assert isinstance(found["consentTimestamp"], int)
    assert (found["consentReceiptID"], found["piiPrincipalId"]) == (str(event.pk), str(alice.pk))
    assert (found["jurisdiction"], found["language"], found["collectionMethod"]) == ("US", "en", "on these pages")
    controller = found["piiControllers"][0]
    assert all(controller[name] for name in ("piiController", "contact", "address", "email", "phone"))
    purpose = found["services"][0]["purposes"][0]
    assert found["services"][0]["service"]
    assert purpose == {
        "purpose": "Let affiliates train AI with my data",
        "purposeCategory": ["14 - Research"],
        "consentType": "REFUSED",
        "piiCategory": ["posts and comments"],
        "primaryPurpose": False,
        "termination": f"{BASE}/choices/",
        "thirdPartyDisclosure": True,
        "thirdPartyName": "Northlight",
    }
    assert (found["sensitive"], found["spiCat"]) == (False, [])


def test_what_stays_with_the_controller_is_no_disclosure(alice: Subject) -> None:
    purpose = document(say(alice, Action.GRANT), "kantara")["services"][0]["purposes"][0]
    assert (purpose["thirdPartyDisclosure"], purpose["consentType"]) == (False, "EXPLICIT")
    assert "thirdPartyName" not in purpose


def page_of(receipt: bytes) -> tuple[pypdf.PdfReader, str]:
    reader = pypdf.PdfReader(io.BytesIO(receipt))
    return reader, " ".join(page.extract_text() for page in reader.pages)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("language", "words"), [("en", ["Receipt", "Choice", "No", "2 March 2026"]), ("de", ["Nein"]), ("fr", ["Non"])]
)
def test_the_pdf_is_one_page_that_says_what_was_decided(alice: Subject, language: str, words: list[str]) -> None:
    event = sealed(alice)
    reader, text = page_of(issue(event, "pdf", language=language))
    assert len(reader.pages) == 1
    for word in [*words, ledger.reference(event.pk), "Linkwell", f"{BASE}/verify/"]:
        assert word in text
    assert reader.trailer["/Root"]["/Lang"] == language


def test_the_signed_receipt_is_attached_to_the_pdf(alice: Subject) -> None:
    reader, _ = page_of(issue(say(alice, Action.DENY), "pdf"))
    (attached,) = reader.attachments["receipt.jws"]
    assert verifying.verify(attached).valid


def test_the_same_receipt_is_printed_the_same_twice(alice: Subject) -> None:
    event = say(alice, Action.DENY)
    assert issue(event, "pdf") == issue(event, "pdf")


def test_a_pdf_with_another_receipt_attached_is_found(alice: Subject) -> None:
    one, other = (issue(say(alice, action), "pdf") for action in (Action.DENY, Action.GRANT))
    tokens = [page_of(receipt)[0].attachments["receipt.jws"][0] for receipt in (one, other)]
    swapped = one.replace(tokens[0], tokens[1])
    assert [check.name for check in verifying.verify(swapped).checks if check.outcome == "failed"] == ["text"]


def test_a_pdf_with_something_appended_is_found(alice: Subject) -> None:
    receipt = issue(say(alice, Action.DENY), "pdf")
    assert not verifying.verify(receipt + b"\n1 0 obj\n<<>>\nendobj\n").valid
    assert not verifying.verify(receipt + b"\n").valid


def test_names_beyond_the_fonts_are_printed_as_far_as_they_go(alice: Subject) -> None:
    Recipient.objects.filter(slug="linkwell").update(name="Łinkwell 株式会社")
    receipt = issue(say(alice, Action.DENY), "pdf")
    assert "?inkwell ????" in page_of(receipt)[1]
    assert verifying.verify(receipt).valid


def test_a_receipt_is_found_by_its_own_person_alone(alice: Subject, charlie: Subject) -> None:
    event = say(alice, Action.DENY)
    assert issuing.find(event.pk, subject_id=alice.pk) == event
    with pytest.raises(NotFound):
        issuing.find(event.pk, subject_id=charlie.pk)


def test_what_is_no_choice_has_no_receipt(alice: Subject) -> None:
    event = ledger.append(kind=Kind.ERASURE, by=BY, at=AT, details={}, subject=alice)
    with pytest.raises(NotFound):
        issuing.find(event.pk)


def test_an_agreement_that_lapsed_has_a_receipt(alice: Subject) -> None:
    event = ledger.append(kind=Kind.EXPIRY, by="system:heed", at=AT, details={}, purpose="marketing", subject=alice)
    assert process(event)["dpv:hasConsentStatus"][0]["@type"] == ["dpv:ConsentExpired"]
    for wanted in issuing.Format.values:
        assert verifying.verify(issue(issuing.find(event.pk), wanted)).valid


def test_an_erased_persons_event_can_still_be_written_down(alice: Subject) -> None:
    event = say(alice, Action.DENY)
    subjects.forget(subject=alice, by=BY, at=AT)
    assert verifying.verify(issue(event)).valid


@pytest.mark.parametrize(("label", "value"), [("long " * 20, "short"), ("short", "long " * 60), ("short", "short")])
def test_a_row_of_the_pdf_begins_below_the_whole_of_the_one_before(label: str, value: str) -> None:
    page = pdf._blank({"dct:issued": AT.isoformat(), "dct:identifier": "R-1", "dct:language": "en"})
    top = page.get_y()
    pdf._row(page, label, value)
    lines = max(
        len(page.multi_cell(width, 6, text, dry_run=True, output="LINES"))
        for width, text in ((45, label), (page.epw - 45, value))
    )
    assert page.get_y() - top == pytest.approx(6 * lines + 1)

"""The API's description: valid, complete, and served from here."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.test import Client
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    generated: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return generated


def test_the_description_is_valid_openapi_3_1_and_nothing_was_guessed(schema: dict[str, Any]) -> None:
    GENERATOR_STATS.reset()
    with GENERATOR_STATS.silence():
        fresh = SchemaGenerator().get_schema(request=None, public=True)
        assert (dict(GENERATOR_STATS._warn_cache), dict(GENERATOR_STATS._error_cache)) == ({}, {})
    validate_schema(fresh)
    assert fresh["openapi"].startswith("3.1")


def test_every_call_is_described_with_its_refusals(schema: dict[str, Any]) -> None:
    calls = {(path, verb): call for path, verbs in schema["paths"].items() for verb, call in verbs.items()}
    assert {("/api/v1/choices", "post"), ("/api/v1/decisions", "get"), ("/api/v1/changes", "get")} <= set(calls)
    for call in calls.values():
        # what anybody may call refuses nobody for who they are
        of_partners = {"401", "403", "404"} if call.get("security") else set()
        assert {"400", "429"} | of_partners <= set(call["responses"])
        assert call["summary"]
    assert calls["/api/v1/decisions", "get"]["security"] == [{"oauth2": ["decisions:read"]}]
    assert schema["components"]["securitySchemes"]["oauth2"]["flows"]["clientCredentials"]["tokenUrl"] == "/o/token/"


def test_every_scope_that_a_call_asks_for_is_listed_and_explained(schema: dict[str, Any]) -> None:
    listed = schema["components"]["securitySchemes"]["oauth2"]["flows"]["clientCredentials"]["scopes"]
    calls = [call for verbs in schema["paths"].values() for call in verbs.values()]
    asked = {scope for call in calls for need in call.get("security", []) for scope in need.get("oauth2", [])}
    # OpenDSR is described by its own specification; see docs/answer-opendsr.md
    assert asked | {"opendsr"} == set(listed)
    cookbook = Path(settings.BASE_DIR, "docs", "connect-a-partner.md").read_text()
    assert [scope for scope in listed if f"`{scope}`" not in cookbook] == []


def test_a_shape_has_one_name(schema: dict[str, Any]) -> None:
    names: dict[str, list[str]] = {}
    for name, shape in schema["components"]["schemas"].items():
        bare = {key: value for key, value in shape.items() if key != "description"}
        names.setdefault(json.dumps(bare, sort_keys=True), []).append(name)
    assert [twice for twice in names.values() if len(twice) > 1] == []


def test_refusals_are_described_as_problem_json(schema: dict[str, Any]) -> None:
    refusal = schema["paths"]["/api/v1/choices"]["post"]["responses"]["422"]
    assert list(refusal["content"]) == ["application/problem+json"]


def test_the_description_is_served_to_anyone(db: None) -> None:
    response = Client().get("/api/v1/schema/")
    assert response.status_code == 200
    assert b"/api/v1/choices" in response.content


def test_the_documentation_page_loads_nothing_from_elsewhere(db: None) -> None:
    response = Client().get("/api/v1/docs/")
    assert response.status_code == 200
    html = response.content.decode()
    linked = re.findall(r"""(?:src|href)=["']([^"']+)""", html)
    assert linked
    assert not [one for one in linked if re.match(r"(https?:)?//", one)]
    assert not re.findall(r"https?://(?!localhost|testserver)[\w.]+\.\w+/[^\"' ]*\.(?:js|css|png)", html)


def test_the_documentations_assets_are_here(db: None) -> None:
    html = Client().get("/api/v1/docs/").content.decode()
    assets = re.findall(r"""["']/static/([^"']+)""", html)
    assert any(asset.endswith("swagger-ui-bundle.js") for asset in assets)
    assert all(finders.find(asset) for asset in assets)

"""The bare floor of one request: Django, DRF and psycopg's pool, and nothing that a record of consent needs.

No authentication, no rules, no reasons, no history beyond two rows. Run by granian as Heed itself is:
`granian --interface wsgi tests.load.bare:application`. The database comes from DATABASE_URL and holds its two tables.
"""

import os

import django
import environ
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

TABLES = """
CREATE TABLE IF NOT EXISTS bare_person (id bigserial PRIMARY KEY, name text UNIQUE NOT NULL, country text NOT NULL);
CREATE TABLE IF NOT EXISTS bare_state (
    id bigserial PRIMARY KEY, person_id bigint NOT NULL REFERENCES bare_person, purpose text NOT NULL,
    action text NOT NULL, changed_at timestamptz NOT NULL, UNIQUE (person_id, purpose));
CREATE TABLE IF NOT EXISTS bare_event (
    id bigserial PRIMARY KEY, person_id bigint NOT NULL, purpose text NOT NULL, action text NOT NULL,
    changed_at timestamptz NOT NULL);
CREATE TABLE IF NOT EXISTS bare_audit (id bigserial PRIMARY KEY, what text NOT NULL, changed_at timestamptz NOT NULL);
"""

INSERT_EVENT = "INSERT INTO bare_event (person_id, purpose, action, changed_at) VALUES (%s, %s, %s, %s) RETURNING id"
INSERT_AUDIT = "INSERT INTO bare_audit (what, changed_at) VALUES (%s, %s)"
UPSERT_STATE = (
    "INSERT INTO bare_state (person_id, purpose, action, changed_at) VALUES (%s, %s, %s, %s)"
    " ON CONFLICT (person_id, purpose) DO UPDATE SET action = excluded.action, changed_at = excluded.changed_at"
)

if not settings.configured:
    database = environ.Env.db_url_config(os.environ["DATABASE_URL"])
    database.setdefault("OPTIONS", {})["pool"] = {"min_size": 0, "max_size": 8, "timeout": 10}
    settings.configure(
        SECRET_KEY="the-floor-keeps-no-secrets",
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF=__name__,
        DATABASES={"default": database},
        INSTALLED_APPS=["rest_framework"],
        MIDDLEWARE=[],
        USE_TZ=True,
        REST_FRAMEWORK={
            "DEFAULT_AUTHENTICATION_CLASSES": [],
            "DEFAULT_PERMISSION_CLASSES": [],
            "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
            "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
            "UNAUTHENTICATED_USER": None,
        },
    )
    django.setup()

from django.db import connection, transaction  # noqa: E402 -- after the settings above
from django.utils import timezone  # noqa: E402
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402


class Read(APIView):
    """One join."""

    def get(self, request: Request) -> Response:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT person.id, state.action, state.changed_at FROM bare_person AS person"
                " LEFT JOIN bare_state AS state ON state.person_id = person.id AND state.purpose = %s"
                " WHERE person.name = %s",
                [request.query_params["purpose"], request.query_params["subject"]],
            )
            person, action, changed_at = cursor.fetchone()
        return Response({"id": person, "allow": action != "deny", "at": changed_at})


class Save(APIView):
    """One select, two inserts and an upsert in one durable transaction."""

    def post(self, request: Request) -> Response:
        sent, now = request.data, timezone.now()
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT id FROM bare_person WHERE name = %s", [sent["subject"]["value"]])
            (person,) = cursor.fetchone()
            said = [person, sent["purpose"], sent["action"], now]
            cursor.execute(INSERT_EVENT, said)
            (event,) = cursor.fetchone()
            cursor.execute(INSERT_AUDIT, ["choice", now])
            cursor.execute(UPSERT_STATE, said)
        return Response({"id": event}, status=201)


def ready(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ready")


urlpatterns = [path("readyz", ready), path("read", Read.as_view()), path("save", Save.as_view())]
application = get_wsgi_application()

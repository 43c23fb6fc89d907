"""A process of its own that sends letters about requests; `python -m tests.requests_app.a_postman SECONDS`."""
# ruff: noqa: E402 -- Django is set up before anything of ours is imported

import sys

import django

django.setup()

from django.conf import settings

settings.EMAIL_BACKEND = "tests.consents.dying_mail.Backend"

from portal import clock
from requests_app import letters

print(letters.send_due(at=clock.now(), seconds=float(sys.argv[1])))

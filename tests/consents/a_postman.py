"""A process of its own that sends what is due; `python -m tests.consents.a_postman SECONDS`."""
# ruff: noqa: E402

import sys

import django

django.setup()

from django.conf import settings

settings.EMAIL_BACKEND = "tests.consents.dying_mail.Backend"

from consents import dispatch
from portal import clock

print(dispatch.deliver(clock=clock.now, seconds=float(sys.argv[1])))

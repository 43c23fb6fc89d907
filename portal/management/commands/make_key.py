"""`manage.py make_key`: a fresh key for one of the rings, printed and kept nowhere."""

import base64
import secrets
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal import clock, signing
from portal.crypto import KEY_BYTES, LONGEST_KEY_ID


class Command(BaseCommand):
    help = "Print id:base64 of 32 random bytes, for HEED_FIELD_KEYS, HEED_INDEX_KEYS or HEED_SIGNING_KEYS."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", nargs="?", help="the key's name; the date if you give none")
        parser.add_argument("--public", metavar="ID", help="print a signing key's public half instead")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["public"]:
            self.stdout.write(_public(options["public"]))
            return
        key_id = options["id"] or f"k{clock.now():%Y-%m-%d}"
        if not 0 < len(key_id) <= LONGEST_KEY_ID or not key_id.isascii() or set(key_id) & set(":, \t\n"):
            raise CommandError(f"A key's id has 1 to {LONGEST_KEY_ID} letters, digits, - or _.")
        self.stdout.write(f"{key_id}:{base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()}")


def _public(key_id: str) -> str:
    try:
        return f"{key_id}:{base64.b64encode(signing.raw_public_key(key_id)).decode()}"
    except KeyError as error:
        raise CommandError(f"No signing key has the id {key_id!r}.") from error

"""`manage.py rotate_keys`: bring what older keys protect under the current ones, while the site serves."""

import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from consents import key_rotation
from portal import actors, clock, resealing
from portal.resealing import FIELD, INDEX, Store

_WALKS = 10
"""Rows that somebody holds are skipped and come next time; so many walks find nearly all of them free once."""
_REST = 1.0
_TELL_EVERY = 2.0


class Command(BaseCommand):
    help = "Bring values under the current keys, in short transactions; may be killed and begun again at any moment."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--field", action="store_true", help="only what HEED_FIELD_KEYS protects")
        parser.add_argument("--index", action="store_true", help="only the fingerprints of HEED_INDEX_KEYS")
        parser.add_argument("--batch", type=int, default=500, help="rows a transaction (500)")
        parser.add_argument("--pause", type=float, default=0.0, help="seconds of rest between transactions (0)")
        parser.add_argument("--status", action="store_true", help="change nothing; say what each key protects")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["batch"] < 1 or options["pause"] < 0:
            raise CommandError("--batch is at least 1, --pause not below 0.")
        if options["status"]:
            self._status()
            return
        rings = [ring for ring in (FIELD, INDEX) if options[ring]] or [FIELD, INDEX]
        counts: dict[str, int] = {}
        stores = [one for one in key_rotation.stores() if one.ring in rings and one.turn]
        for store in stores:
            counts[store.name] = self._bring(store, batch=options["batch"], pause=options["pause"])
        if key_rotation.resign(at=clock.now()):
            self.stdout.write(f"log: signed anew by {settings.SIGNING_KEYS.current[0]}")
        key_rotation.enter(counts=counts, by=actors.command("rotate_keys"), at=clock.now())
        left = {store.name: number for store in stores if (number := store.waiting())}
        if left:
            named = ", ".join(f"{number:,} {name}" for name, number in left.items())
            raise CommandError(
                f"Left as they are: {named}. Either somebody holds them right now (run this again), their key is not"
                " in the ring (--status names it), they were altered, or two people have one name."
            )
        self.stdout.write("Everything that can be is under the current keys. --status says which keys may go.")

    def _bring(self, store: Store, *, batch: int, pause: float) -> int:
        """Walk until nothing waits, or a walk changes nothing; answers how many values were brought."""
        total, done, began = store.waiting(), 0, time.monotonic()
        told = began
        for walk in range(_WALKS):
            before, failed = done, 0
            for turn in key_rotation.rotate(store, batch=batch):
                done, failed = done + turn.done, failed + turn.failed
                if time.monotonic() - told >= _TELL_EVERY:
                    told = time.monotonic()
                    self._tell(store, done, total, told - began)
                time.sleep(pause)
            waiting = store.waiting()
            if waiting == 0 or (done == before and waiting <= failed) or walk == _WALKS - 1:
                break
            time.sleep(_REST)
        self.stdout.write(f"{store.name}: {done:,} brought under {resealing.current_key(store.ring)}")
        return done

    def _tell(self, store: Store, done: int, total: int, seconds: float) -> None:
        rate = done / seconds if seconds else 0.0
        rest = f"{max(total - done, 0) / rate:,.0f} s left" if rate else "no estimate yet"
        self.stdout.write(f"{store.name}: {done:,} of {total:,}, {rate:,.0f}/s, {rest}")
        self.stdout.flush()

    def _status(self) -> None:
        for ring, name in ((FIELD, "HEED_FIELD_KEYS"), (INDEX, "HEED_INDEX_KEYS")):
            self.stdout.write(name)
            for one in key_rotation.states():
                if one.ring == ring:
                    self.stdout.write(f"  {one.key or '(not noted)'}: {_in_words(one)}")
        self.stdout.write("HEED_SIGNING_KEYS")
        current = settings.SIGNING_KEYS.current[0]
        for key in settings.SIGNING_KEYS.public:
            self.stdout.write(f"  {key}: {_signing_in_words(key, current)}")


def _in_words(one: key_rotation.KeyState) -> str:
    held = ", ".join(f"{number:,} {name}" for name, number in one.protects.items()) or "nothing"
    if one.is_missing and one.key:
        return f"protects {held}, AND IS NOT IN THE RING: put it back, or they cannot be opened"
    if one.is_current:
        return f"current, protects {held}"
    if one.may_go:
        return "protects nothing, may be removed from the environment"
    if set(one.protects) <= key_rotation.LASTING:
        return f"protects {held}, which cannot be made again: it stays in the ring as long as they do"
    return f"protects {held}"


def _signing_in_words(key: str, current: str) -> str:
    if key == current:
        return "signs"
    if key in settings.SIGNING_KEYS.seeds:
        return f"verifies what it signed; the seed may go: manage.py make_key --public {key} gives the half to keep"
    return "public half, verifies what it signed; stays as long as receipts signed by it shall verify"

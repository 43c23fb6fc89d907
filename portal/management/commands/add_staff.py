"""`manage.py add_staff ADDRESS --role "privacy manager"`: give a colleague an account."""

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email
from django.db import transaction

from portal import actors, audit, clock, roles
from portal.models import User


class Command(BaseCommand):
    help = "Create a staff account; its owner signs in with a mailed code and enrols a second factor."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("address", help="The business mail address")
        parser.add_argument("--role", choices=roles.ALL, required=True)
        parser.add_argument("--superuser", action="store_true", help="May also give others their roles")

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        address: str = options["address"].strip().lower()
        try:
            validate_email(address)
        except ValidationError as error:
            raise CommandError("This is not a mail address.") from error
        if User.objects.filter(email__iexact=address).exists() or User.objects.filter(username=address).exists():
            raise CommandError("There is an account of this address already.")
        roles.set_up()
        user = User(username=address, email=address, is_staff=True, is_superuser=options["superuser"])
        user.set_unusable_password()
        user.save()
        user.groups.add(Group.objects.get(name=options["role"]))
        audit.record(at=clock.now(), by=actors.command("add_staff"), action="account.save", of=("account", user.pk))
        self.stdout.write(
            f"Done. They sign in at /account/login/ and enrol a second factor there. Role: {options['role']}."
        )

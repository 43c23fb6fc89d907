"""`manage.py set_up_roles`: the staff's groups and what each may do."""

from typing import Any

from django.core.management.base import BaseCommand

from portal import roles


class Command(BaseCommand):
    help = "Create the roles agent, privacy manager, auditor and administrator, or bring their permissions up to date."

    def handle(self, *args: Any, **options: Any) -> None:
        roles.set_up()
        self.stdout.write("Roles are set up.")

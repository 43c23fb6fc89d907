"""Systems that hold people's data beside the datasets, and the tasks that a request means in each of them."""

import uuid
from typing import ClassVar

import pgtrigger
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7

from requests_app.models.requests import Request
from requests_app.states import Ground, Right, TaskKind, TaskStatus


class System(models.Model):
    """Somewhere that people's data is kept and that no connector reaches; staff do there what a request means."""

    slug = models.SlugField(primary_key=True)
    name = models.CharField(_("name"), max_length=120)
    public_name = models.CharField(_("name for people"), max_length=120)
    rights = ArrayField(
        models.CharField(max_length=30, choices=Right.choices),
        verbose_name=_("rights"),
        help_text=_("Which requests mean work there."),
    )
    instructions = models.TextField(_("instructions"), help_text=_("What has to be done there, and what proves it."))
    keeper = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    retired_at = models.DateTimeField(_("retired"), null=True, blank=True)

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta:
        verbose_name = _("system")
        verbose_name_plural = _("systems")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Task(models.Model):
    """What one request means in one place: a dataset, a system, or Heed itself.

    An automatic one is done when what is downstream says so; a manual one by a member of staff, with evidence.
    """

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    request = models.ForeignKey(Request, on_delete=models.PROTECT, related_name="tasks")
    kind = models.CharField(_("kind"), max_length=20, choices=TaskKind.choices)
    code = models.CharField(
        _("work"), max_length=30, help_text=_("remove, correct, collect, review, answer: what has to be done there.")
    )
    dataset = models.ForeignKey(
        "downstream.Dataset", null=True, blank=True, on_delete=models.PROTECT, related_name="request_tasks"
    )
    system = models.ForeignKey(System, null=True, blank=True, on_delete=models.PROTECT, related_name="tasks")
    status = models.CharField(_("status"), max_length=20, choices=TaskStatus.choices, default=TaskStatus.OPEN)
    instructions = models.TextField(_("instructions"), blank=True)
    sealed_evidence = models.BinaryField(null=True, editable=False, help_text=_("What was done, in words."))
    ground = models.CharField(_("ground of exemption"), max_length=30, blank=True, choices=Ground.choices)
    planned_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)
    settled_by = models.CharField(max_length=120, blank=True)

    PERSONAL: ClassVar[frozenset[str]] = frozenset({"sealed_evidence"})

    class Meta:
        verbose_name = _("task")
        verbose_name_plural = _("tasks")
        ordering = ["planned_at", "id"]
        triggers = [
            pgtrigger.Trigger(
                name="no_work_after_the_answer",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert | pgtrigger.Update,
                condition=pgtrigger.Condition("NEW.status = 'open'"),
                func=(
                    "IF EXISTS (SELECT FROM requests_app_request WHERE id = NEW.request_id"
                    " AND status IN ('fulfilled', 'partially_fulfilled')) THEN"
                    " RAISE EXCEPTION 'a fulfilled request has no open task'; END IF; RETURN NEW;"
                ),
            )
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(status=TaskStatus.OPEN, settled_at__isnull=True, settled_by="")
                | ~Q(status=TaskStatus.OPEN) & Q(settled_at__isnull=False) & ~Q(settled_by=""),
                name="task_settled_when_and_by_whom",
            ),
            models.CheckConstraint(
                condition=Q(status=TaskStatus.EXEMPTED) & ~Q(ground="") | ~Q(status=TaskStatus.EXEMPTED) & Q(ground=""),
                name="exempted_has_its_ground",
            ),
            models.CheckConstraint(
                condition=Q(dataset__isnull=True) | Q(system__isnull=True), name="a_task_is_in_one_place"
            ),
            models.UniqueConstraint(
                fields=["request", "code", "dataset", "system"], name="one_task_per_place", nulls_distinct=False
            ),
        ]
        indexes = [
            models.Index(fields=["request"], name="task_open", condition=Q(status=TaskStatus.OPEN)),
        ]

    def __str__(self) -> str:
        return self.code


class SavedView(models.Model):
    """Filters of the queue that a member of staff keeps under a name."""

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    staff = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_views")
    name = models.CharField(_("name"), max_length=40)
    query = models.CharField(max_length=400)

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta:
        verbose_name = _("saved view")
        verbose_name_plural = _("saved views")
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["staff", "name"], name="one_view_of_a_name")]

    def __str__(self) -> str:
        return self.name

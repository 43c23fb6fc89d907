"""Addresses of the API of downstream, below /api/v1/."""

from django.urls import path

from downstream.api import lineage, training

urlpatterns = [
    path("training-runs", training.TrainingRuns.as_view(), name="api-training-runs"),
    path("training-runs/<str:id>/complete", training.CompletedRun.as_view(), name="api-training-run-complete"),
    path("permits/<str:id>", training.OnePermit.as_view(), name="api-permit"),
    path("lineage", lineage.Lineage.as_view(), name="api-lineage"),
]

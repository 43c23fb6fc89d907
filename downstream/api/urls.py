"""Addresses of the API of downstream, below /api/v1/."""

from django.urls import path

from downstream.api import datasets, lineage, suppression, training, versions

urlpatterns = [
    path("datasets", datasets.Datasets.as_view(), name="api-datasets"),
    path("datasets/<slug:slug>", datasets.OneDataset.as_view(), name="api-dataset"),
    path("datasets/<slug:slug>/versions", versions.Versions.as_view(), name="api-dataset-versions"),
    path("datasets/<slug:slug>/versions/<int:number>", versions.OneVersion.as_view(), name="api-dataset-version"),
    path("datasets/<slug:slug>/changes", versions.Changes.as_view(), name="api-dataset-changes"),
    path("datasets/<slug:slug>/croissant", versions.Croissant.as_view(), name="api-dataset-croissant"),
    path("suppression/<slug:purpose>", suppression.Suppression.as_view(), name="api-suppression"),
    path("training-runs", training.TrainingRuns.as_view(), name="api-training-runs"),
    path("training-runs/<str:id>/complete", training.CompletedRun.as_view(), name="api-training-run-complete"),
    path("permits/<str:id>", training.OnePermit.as_view(), name="api-permit"),
    path("lineage", lineage.Lineage.as_view(), name="api-lineage"),
]

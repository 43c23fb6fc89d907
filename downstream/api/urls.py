"""Addresses of the API of downstream, below /api/v1/."""

from django.urls import path

from downstream.api import datasets, suppression, versions

urlpatterns = [
    path("datasets", datasets.Datasets.as_view(), name="api-datasets"),
    path("datasets/<slug:slug>", datasets.OneDataset.as_view(), name="api-dataset"),
    path("datasets/<slug:slug>/versions", versions.Versions.as_view(), name="api-dataset-versions"),
    path("datasets/<slug:slug>/versions/<int:number>", versions.OneVersion.as_view(), name="api-dataset-version"),
    path("datasets/<slug:slug>/changes", versions.Changes.as_view(), name="api-dataset-changes"),
    path("datasets/<slug:slug>/croissant", versions.Croissant.as_view(), name="api-dataset-croissant"),
    path("suppression/<slug:purpose>", suppression.Suppression.as_view(), name="api-suppression"),
]

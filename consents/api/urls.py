"""Addresses of the API of consents, below /api/v1/."""

from django.urls import path

from consents.api import bulk_decisions, views

urlpatterns = [
    path("choices", views.Choices.as_view(), name="api-choices"),
    path("decisions", views.Decisions.as_view(), name="api-decisions"),
    path("decisions/bulk", bulk_decisions.BulkDecisions.as_view(), name="api-bulk-decisions"),
    path("changes", views.Changes.as_view(), name="api-changes"),
]

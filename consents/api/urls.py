"""Addresses of the API of consents, below /api/v1/."""

from django.urls import path

from consents.api import bulk_choices, bulk_decisions, log, receipts, signals, views

urlpatterns = [
    path("choices", views.Choices.as_view(), name="api-choices"),
    path("choices/bulk", bulk_choices.BulkChoices.as_view(), name="api-choices-bulk"),
    path("decisions", views.Decisions.as_view(), name="api-decisions"),
    path("signals", signals.Signals.as_view(), name="api-signals"),
    path("content-usage", signals.ContentUsage.as_view(), name="api-content-usage"),
    path("decisions/bulk", bulk_decisions.BulkDecisions.as_view(), name="api-bulk-decisions"),
    path("changes", views.Changes.as_view(), name="api-changes"),
    path("log/inclusion", log.Inclusion.as_view(), name="api-log-inclusion"),
    path("log/consistency", log.Consistency.as_view(), name="api-log-consistency"),
    path("receipts/verify", receipts.VerifyReceipt.as_view(), name="api-verify-receipt"),
    path("receipts/<str:id>", receipts.Receipt.as_view(), name="api-receipt"),
]

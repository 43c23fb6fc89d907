"""Addresses of the API of consents, below /api/v1/."""

from django.urls import path

from consents.api import receipts, views

urlpatterns = [
    path("choices", views.Choices.as_view(), name="api-choices"),
    path("decisions", views.Decisions.as_view(), name="api-decisions"),
    path("changes", views.Changes.as_view(), name="api-changes"),
    path("receipts/verify", receipts.VerifyReceipt.as_view(), name="api-verify-receipt"),
    path("receipts/<str:id>", receipts.Receipt.as_view(), name="api-receipt"),
]

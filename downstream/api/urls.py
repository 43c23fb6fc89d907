"""Addresses of the API of downstream, below /api/v1/."""

from django.urls import path

from downstream.api import propagations, webhooks

urlpatterns = [
    path("propagations", propagations.Propagations.as_view(), name="api-propagations"),
    path("propagations/<uuid:id>", propagations.OnePropagation.as_view(), name="api-propagation"),
    path("propagations/<uuid:id>/keys", propagations.Keys.as_view(), name="api-propagation-keys"),
    path("propagations/<uuid:id>/ack", propagations.Ack.as_view(), name="api-propagation-ack"),
    path("webhooks", webhooks.Webhooks.as_view(), name="api-webhooks"),
    path("webhooks/<uuid:id>", webhooks.OneWebhook.as_view(), name="api-webhook"),
    path("webhooks/<uuid:id>/test", webhooks.Test.as_view(), name="api-webhook-test"),
    path("webhooks/<uuid:id>/rotate-secret", webhooks.RotateSecret.as_view(), name="api-webhook-rotate"),
    path("webhooks/<uuid:id>/deliveries", webhooks.Deliveries.as_view(), name="api-webhook-deliveries"),
    path(
        "webhooks/<uuid:id>/deliveries/<uuid:delivery>/redeliver",
        webhooks.Redeliver.as_view(),
        name="api-webhook-redeliver",
    ),
]

"""Addresses of the API of downstream, below /api/v1/."""

from django.urls import path

from downstream.api import corrections, datasets, lineage, propagations, suppression, training, versions, webhooks

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
    path("propagations", propagations.Propagations.as_view(), name="api-propagations"),
    path("propagations/<uuid:id>", propagations.OnePropagation.as_view(), name="api-propagation"),
    path("propagations/<uuid:id>/keys", propagations.Keys.as_view(), name="api-propagation-keys"),
    path("propagations/<uuid:id>/ack", propagations.Ack.as_view(), name="api-propagation-ack"),
    path("corrections", corrections.Corrections.as_view(), name="api-corrections"),
    path("corrections/<uuid:id>", corrections.OneCorrection.as_view(), name="api-correction"),
    path("corrections/<uuid:id>/keys", corrections.CorrectionKeys.as_view(), name="api-correction-keys"),
    path("corrections/<uuid:id>/ack", corrections.CorrectionAck.as_view(), name="api-correction-ack"),
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

"""The tables of downstream."""

from downstream.models.datasets import Dataset
from downstream.models.holders import Acknowledgement, HolderRequest
from downstream.models.propagations import Propagation, RemovalReceipt, Target, Unit
from downstream.models.versions import DatasetVersion
from downstream.models.webhooks import WebhookCursor, WebhookDelivery, WebhookSubscription

__all__ = [
    "Acknowledgement",
    "Dataset",
    "DatasetVersion",
    "HolderRequest",
    "Propagation",
    "RemovalReceipt",
    "Target",
    "Unit",
    "WebhookCursor",
    "WebhookDelivery",
    "WebhookSubscription",
]

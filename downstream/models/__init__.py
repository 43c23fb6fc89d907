"""The tables of downstream."""

from downstream.models.corrections import Correction
from downstream.models.datasets import Dataset, KeyHash
from downstream.models.exemptions import Exemption, ExemptionEnd
from downstream.models.exposures import ExposureDecision
from downstream.models.holders import Acknowledgement, HolderRequest
from downstream.models.lineage import LineageEvent, LineageNode, LineageRead, LineageRun, LineageWrite
from downstream.models.propagations import Propagation, PurgeReceipt, RemovalReceipt, Target, Unit
from downstream.models.training import Permit, PermitEvent, PermitRefusal, RunInput, TrainedModel, TrainingRun
from downstream.models.versions import DatasetVersion
from downstream.models.webhooks import WebhookCursor, WebhookDelivery, WebhookSubscription

__all__ = [
    "Acknowledgement",
    "Correction",
    "Dataset",
    "DatasetVersion",
    "Exemption",
    "ExemptionEnd",
    "ExposureDecision",
    "HolderRequest",
    "KeyHash",
    "LineageEvent",
    "LineageNode",
    "LineageRead",
    "LineageRun",
    "LineageWrite",
    "Permit",
    "PermitEvent",
    "PermitRefusal",
    "Propagation",
    "PurgeReceipt",
    "RemovalReceipt",
    "RunInput",
    "Target",
    "TrainedModel",
    "TrainingRun",
    "Unit",
    "WebhookCursor",
    "WebhookDelivery",
    "WebhookSubscription",
]

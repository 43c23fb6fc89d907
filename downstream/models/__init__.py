"""The tables of downstream."""

from downstream.models.datasets import Dataset, KeyHash
from downstream.models.exposures import ExposureDecision
from downstream.models.lineage import LineageEvent, LineageNode, LineageRead, LineageRun, LineageWrite
from downstream.models.propagations import Propagation, PurgeReceipt, RemovalReceipt, Target, Unit
from downstream.models.training import Permit, PermitEvent, PermitRefusal, RunInput, TrainedModel, TrainingRun
from downstream.models.versions import DatasetVersion

__all__ = [
    "Dataset",
    "DatasetVersion",
    "ExposureDecision",
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
]

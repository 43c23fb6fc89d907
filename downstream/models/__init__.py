"""The tables of downstream."""

from downstream.models.datasets import Dataset
from downstream.models.propagations import Propagation, PurgeReceipt, RemovalReceipt, Target, Unit
from downstream.models.versions import DatasetVersion

__all__ = ["Dataset", "DatasetVersion", "Propagation", "PurgeReceipt", "RemovalReceipt", "Target", "Unit"]

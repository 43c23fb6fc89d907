"""The tables of downstream."""

from downstream.models.datasets import Dataset
from downstream.models.propagations import Propagation, RemovalReceipt, Target, Unit

__all__ = ["Dataset", "Propagation", "RemovalReceipt", "Target", "Unit"]

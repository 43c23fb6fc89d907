"""Staff's pages of downstream: datasets and their runs, training, and the holds whose effect shows there."""

from downstream.admin import corrections, datasets, exemptions, holders, holds, propagations, removal_receipts, training

__all__ = ["corrections", "datasets", "exemptions", "holders", "holds", "propagations", "removal_receipts", "training"]

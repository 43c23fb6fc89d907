"""Staff's pages of downstream: datasets and their runs, training, and the holds whose effect shows there."""

from downstream.admin import datasets, exemptions, holders, holds, training

__all__ = ["datasets", "exemptions", "holders", "holds", "training"]

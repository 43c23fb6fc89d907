"""Staff's pages of downstream: datasets and their runs, training, and the holds whose effect shows there."""

from downstream.admin import datasets, holders, holds, training

__all__ = ["datasets", "holders", "holds", "training"]

"""Staff's pages of downstream: datasets and their runs, and the holds whose effect shows there."""

from downstream.admin import datasets, holders, holds

__all__ = ["datasets", "holders", "holds"]

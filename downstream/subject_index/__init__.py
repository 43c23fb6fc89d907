"""The subject index: which files, and which row groups in them, may hold somebody's rows, without reading them.

It lives in files beside the worker and is a memory, not a source of truth: it may be deleted at any time, and each
machine has its own. It never hides a row: a segment that is missing, torn, or of another version of its data file is
made anew by reading that file's key column, and what it says to be there is read before anybody relies on it.
What it names nobody by are hashes under a secret of the dataset (`hashes`), cut short (`filters`), one segment per data
file (`segments`); `building` makes one, `confirming` looks into the rows, `index` is what connectors use.
"""

from downstream.subject_index.index import Holdings, Index, Place

__all__ = ["Holdings", "Index", "Place"]

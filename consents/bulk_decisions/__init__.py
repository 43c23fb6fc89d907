"""May this purpose be served with these people's data? Millions of names in, allow or deny out.

Answers come from a snapshot of everybody at a position of the log, brought forward by the log before each question:
the same answers as `decisions.decide` gives, without reasons.
"""

from consents.bulk_decisions.asking import Asking, BulkAnswer, BulkError, begin, check_type, decide_many

__all__ = ["Asking", "BulkAnswer", "BulkError", "begin", "check_type", "decide_many"]

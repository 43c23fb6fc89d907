"""Answer packages: everything that is recorded of a person, as one encrypted ZIP that staff look through first.

`building` makes them, part by part (`contents`), in streams (`spooling`, `archive`) and three forms (`readable`,
`tabular`); `redaction` takes out what is about others, and `unseen` has staff decide about files that nobody can look
into for that; `releasing` hands them out, counts that, and deletes them; `unfetched` keeps an erasure from taking away
what somebody has not fetched yet.
"""

from requests_app.packages.building import BUILD_TASK, ask, build_next, can_ask, check_can_ask
from requests_app.packages.previews import look, names
from requests_app.packages.redaction import What, redact, undo
from requests_app.packages.releasing import (
    can_download,
    can_release,
    check_can_download,
    check_can_release,
    current,
    delete_expired,
    download,
    look_into,
    newest,
    release,
)
from requests_app.packages.unfetched import check_can_close, erasure_of, let_go, wait_of, waiting_erasures

__all__ = [
    "BUILD_TASK",
    "What",
    "ask",
    "build_next",
    "can_ask",
    "can_download",
    "can_release",
    "check_can_ask",
    "check_can_close",
    "check_can_download",
    "check_can_release",
    "current",
    "delete_expired",
    "download",
    "erasure_of",
    "let_go",
    "look",
    "look_into",
    "names",
    "newest",
    "redact",
    "release",
    "undo",
    "wait_of",
    "waiting_erasures",
]

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
from requests_app.packages.unfetched import (
    COPIES,
    check_can_close,
    days_left,
    erasure_of,
    is_gathered,
    let_go,
    unanswered_of,
    wait_of,
    waiting_erasures,
)

__all__ = [
    "BUILD_TASK",
    "COPIES",
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
    "days_left",
    "delete_expired",
    "download",
    "erasure_of",
    "is_gathered",
    "let_go",
    "look",
    "look_into",
    "names",
    "newest",
    "redact",
    "release",
    "unanswered_of",
    "undo",
    "wait_of",
    "waiting_erasures",
]

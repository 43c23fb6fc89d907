"""How often beat turns which crank.

Every task finds its own work in tables, so a lost message costs one turn.
"""

from datetime import timedelta
from typing import Any


def turns(*, look_around: float) -> dict[str, dict[str, Any]]:
    """Celery's schedule; `look_around` is how many seconds pass between two looks for new files in datasets.

    Turns expire, so that a worker that was away does not find a heap of them.
    """
    return {
        name: {"task": task, "schedule": timedelta(seconds=every), "options": {"expires": max(every * 3, 5)}}
        for name, task, every in [
            ("sequence", "consents.tasks.sequence", 1.0),
            ("seal", "consents.tasks.seal", 2.0),
            ("tell of rules and notices that turn", "consents.tasks.tell_turns", 5.0),
            ("propagate", "downstream.tasks.turn", 1.0),
            ("notice new files in datasets", "downstream.tasks.look_around", look_around),
            ("mark void permits", "downstream.tasks.mark_void_permits", 2.0),
            ("send webhooks", "downstream.tasks.send_webhooks", 2.0),
            ("expire agreements", "consents.tasks.expire", 60.0),
            ("deliver notices", "consents.tasks.deliver", 5.0),
            ("close verified erasures", "requests_app.tasks.close_verified", 3.0),
            ("send letters about requests", "requests_app.tasks.send_letters", 2.0),
            ("sweep files of requests", "requests_app.tasks.sweep_files", 6 * 3600.0),
            ("take in files of requests", "requests_app.tasks.take_in_imports", 30.0),
            ("expire requests that nobody proved", "requests_app.tasks.expire_unproven", 60.0),
            ("build answer packages", "requests_app.tasks.build_packages", 5.0),
            ("delete expired answer packages", "requests_app.tasks.delete_expired_packages", 300.0),
            ("tell agents", "requests_app.tasks.tell_agents", 3.0),
            ("tell controllers", "requests_app.tasks.tell_controllers", 3.0),
            # once a day is enough; hourly, because a day begins at another hour in each country, and a beat that is
            # started anew every day would never come to a daily turn
            ("recompute deadlines", "requests_app.tasks.recompute_deadlines", 3600.0),
            ("remind of deadlines", "requests_app.tasks.remind_of_deadlines", 300.0),
            ("send reminders to staff", "requests_app.tasks.send_reminders", 60.0),
            ("acknowledge what came by letter", "requests_app.tasks.acknowledge_receipts", 300.0),
            ("forget contacts that were not confirmed", "consents.tasks.forget_expired_contacts", 60.0),
            ("forget old answers", "portal.tasks.forget_old_answers", 3600.0),
            ("forget ended sessions", "portal.tasks.forget_ended_sessions", 3600.0),
            ("make partitions", "portal.tasks.make_partitions", 86_400.0),
        ]
    }

"""Mail into files by a server that has its moods: it dies, breaks off or refuses, as DYING_MAIL says.

`before:3` kills the process before it takes the third mail, `after:3` once it has it.
"""

import os
import signal
import time
from typing import Any

from django.core.mail.backends.filebased import EmailBackend


class Backend(EmailBackend):
    taken = 0

    def send_messages(self, email_messages: Any) -> int:
        mood, _, number = os.environ.get("DYING_MAIL", "").partition(":")
        Backend.taken += 1
        if mood == "before" and Backend.taken == int(number):
            os.kill(os.getpid(), signal.SIGKILL)
        if mood == "slow":
            time.sleep(float(number))
        count = super().send_messages(email_messages)
        if mood == "after" and Backend.taken == int(number):
            os.kill(os.getpid(), signal.SIGKILL)
        return int(count or 0)

"""Runs honcho and ends it when whoever started this is gone, however that happened.

Whoever starts it holds the other end of standard input: it closes with them, also when they are killed.
"""

import signal
import subprocess
import sys
import threading


def main() -> int:
    honcho = subprocess.Popen([sys.executable, "-m", "honcho", "start", "--no-colour"], stdin=subprocess.DEVNULL)

    def end(*_: object) -> None:
        if honcho.poll() is None:
            honcho.send_signal(signal.SIGTERM)

    def wait_for_the_starter() -> None:
        sys.stdin.buffer.read()
        end()

    signal.signal(signal.SIGTERM, end)
    threading.Thread(target=wait_for_the_starter, daemon=True).start()
    return honcho.wait()


if __name__ == "__main__":
    sys.exit(main())

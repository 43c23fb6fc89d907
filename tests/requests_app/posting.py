"""A mail server in this process that has its moods, one a letter."""

from typing import Any


class Moody:
    """Raises what it is told to; None takes the letter."""

    def __init__(self, moods: list[Exception | None], *, opens: bool = True) -> None:
        self.moods, self.opens, self.opened = moods, opens, False
        self.asked: list[Any] = []
        self.taken: list[Any] = []

    def open(self) -> None:
        if not self.opens:
            raise ConnectionRefusedError
        self.opened = True

    def close(self) -> None:
        self.opened = False

    def send_messages(self, messages: list[Any]) -> int:
        self.asked += messages
        mood = self.moods.pop(0)
        if mood is not None:
            raise mood
        self.taken += messages
        return len(messages)

"""What can go wrong with an embedded engine, said together with the remedy."""

_REMEDIES = {
    "No space left on device": "The disk is full: free some space and run again.",
    "ermission denied": "Let this user read and write there, or set HEED_DATA to a folder of its own.",
    "Read-only file system": "Set HEED_DATA to a folder that can be written.",
    "Not a directory": "Set HEED_DATA to a folder.",
    "annot allocate memory": "There is not enough memory: end other programs and run again.",
}
OWN_SERVER = "Or set DATABASE_URL and REDIS_URL to servers of your own."


class EngineError(RuntimeError):
    """An embedded engine cannot be started or stopped; the message holds the remedy."""


def explain(what: str, text: str) -> EngineError:
    """The error for an engine that left these words when it failed to start."""
    remedies = [remedy for sign, remedy in _REMEDIES.items() if sign in text]
    return EngineError(" ".join([f"{what} could not start: {text.strip()}\n", *remedies, OWN_SERVER]))

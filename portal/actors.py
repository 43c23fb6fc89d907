"""How whoever acts is named in ledger and audit: `kind:id`, never a name or an address."""

import uuid

SYSTEM = "system:heed"


def staff(user_id: uuid.UUID | str) -> str:
    return f"staff:{user_id}"


def subject(subject_id: uuid.UUID | str) -> str:
    return f"subject:{subject_id}"


def partner(slug: str) -> str:
    return f"partner:{slug}"


def agent(agent_id: str) -> str:
    return f"agent:{agent_id}"


def command(name: str) -> str:
    return f"command:{name}"

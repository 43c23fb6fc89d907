"""The log's part of a receipt: what its leaf commits to, where it is in the tree, and how that is checked."""

import base64
import binascii
import uuid
from typing import Any

from consents import checkpoints, leaves, sequencer, signed_notes, tree
from consents.checkpoints import Inclusion, LogBroken
from consents.models import LedgerEvent
from consents.signed_notes import Head


def part(event: LedgerEvent, *, content: str) -> dict[str, Any]:
    """`position` is null until the log has given one, `inclusion` until a checkpoint was signed over it."""
    position = sequencer.position_of(event.pk)
    proof = _proof(position) if position is not None else None
    inclusion = None
    if proof is not None:
        inclusion = {
            "index": proof.index,
            "size": proof.size,
            "hashes": [base64.b64encode(one).decode() for one in proof.hashes],
            "checkpoint": proof.checkpoint,
        }
    return {"content": content, "salt": str(event.salt), "position": position, "inclusion": inclusion}


def _proof(position: int) -> Inclusion | None:
    """None also where the log itself is broken: its alarm is raised elsewhere, and the person is owed a receipt."""
    try:
        return checkpoints.proof_of(position=position)
    except LogBroken:
        return None


def checkpoint(log: dict[str, Any]) -> Head:
    """The size and root that a key of this house signed. Raises NoteError."""
    return signed_notes.read(log["inclusion"]["checkpoint"])


def included(log: dict[str, Any], *, kind: str, head: Head) -> bool:
    """Whether the proof leads from the event's commitment to the root of that checkpoint."""
    inclusion = log["inclusion"]
    try:
        entry = leaves.entry(kind=kind, salt=uuid.UUID(log["salt"]), content=log["content"])
        hashes = [base64.b64decode(one, validate=True) for one in inclusion["hashes"]]
    except (binascii.Error, ValueError):
        return False
    if (inclusion["size"], inclusion["index"] + 1) != (head.size, log["position"]):
        return False
    return tree.includes(
        leaf=tree.leaf_hash(entry), index=inclusion["index"], size=head.size, proof=hashes, root=head.root
    )


def still_holds(event: LedgerEvent, log: dict[str, Any], head: Head | None) -> bool:
    """Whether the event has the place that the receipt names, and today's log begins with its checkpoint."""
    if log["position"] is not None and sequencer.position_of(event.pk) != log["position"]:
        return False
    if head is None:
        return True
    try:
        return checkpoints.root_at(head.size) == head.root
    except LogBroken:
        return False

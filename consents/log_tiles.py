"""The log as outsiders read it: tiles of hashes and bundles of entries, by the addresses of C2SP tlog-tiles."""

from consents import leaves
from consents.checkpoints import LogBroken
from consents.models import Tile
from consents.tree import HASH_BYTES, WIDTH, TileId


def hashes(tile: TileId, *, width: int = WIDTH) -> bytes | None:
    """The first `width` hashes of the tile; None while it does not hold so many. One query."""
    stored = Tile.objects.filter(level=tile.level, number=tile.number).values_list("hashes", flat=True).first()
    wanted = width * HASH_BYTES
    return bytes(stored)[:wanted] if stored is not None and len(stored) >= wanted else None


def entries(number: int, *, width: int = WIDTH) -> bytes | None:
    """The first `width` entries below tile 0/`number`, each after its length (16 bits); None while they are not sealed.

    Two queries. Raises LogBroken where an event is gone.
    """
    if hashes(TileId(0, number), width=width) is None:
        return None
    first = number * WIDTH
    found = leaves.entries(after=first, until=first + width)
    if len(found) != width:
        raise LogBroken("gap", f"Beyond position {first} an event is missing: run verify_log.")
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in found)


def spelled(number: int) -> str:
    """A tile's number as its address spells it: 1234067 is x001/x234/067."""
    groups = f"{number:,}".split(",")
    padded = [group.zfill(3) for group in groups]
    return "/".join([*(f"x{group}" for group in padded[:-1]), padded[-1]])


def number_of(path: str) -> int | None:
    """The number that a path spells; None where it is not spelled that way."""
    digits = path.replace("/", "").replace("x", "")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
        return None
    number = int(digits)
    return number if path == spelled(number) else None

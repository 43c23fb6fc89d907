"""Names of files as strangers send them, made harmless: shown in lists, offered to other people's computers."""

import re
import unicodedata

LONGEST = 100
"""Characters of a name with its extension."""
_UNNAMED = "file"
_EXTENSION = re.compile(r"\.([A-Za-z0-9]{1,8})$")
# what Windows keeps for devices, with or without an extension
_RESERVED = re.compile(r"^(con|prn|aux|nul|conin\$|conout\$|clock\$|(com|lpt)[0-9¹²³])$", re.IGNORECASE)
# what has a meaning to a shell, a file system or a header
_UNSAFE = frozenset('<>:"|?*\\/;%`$')
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode's categories of what cannot be seen: control, overrides of direction, joiners, nothing assigned."""


def clean(name: str, *, extension: str) -> str:
    """The name that a file is kept and offered under: no folders, nothing invisible, at most `LONGEST` characters.

    `extension` (without its dot) is what the content was found to be, and is what the name ends with. Doing it twice
    changes nothing. Only the last part of a path counts, whichever way its slashes lean.
    """
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    stem = _EXTENSION.sub("", _seen(last).rstrip(". "))
    # NFC again: taking something out may bring together what composes
    stem = unicodedata.normalize("NFC", _seen(stem)).strip(". ")
    stem = stem[: LONGEST - len(extension) - 1].rstrip(". ") or _UNNAMED
    # Windows looks at what is before the first dot
    if _RESERVED.match(stem.partition(".")[0].strip()):
        stem = f"_{stem}"[: LONGEST - len(extension) - 1]
    return f"{stem}.{extension}"


def extension_of(name: str) -> str:
    """What a name claims to be, in small letters; empty where it claims nothing."""
    found = _EXTENSION.search(_seen(name).rstrip(". "))
    return found[1].lower() if found else ""


def _seen(text: str) -> str:
    """The text without what cannot be seen, and with one plain space for any run of blanks."""
    letters = (
        "_" if letter in _UNSAFE else " " if letter.isspace() else letter
        for letter in text
        if letter.isspace() or unicodedata.category(letter) not in _HIDDEN
    )
    return " ".join("".join(letters).split())

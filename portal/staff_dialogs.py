"""Dialogs that ask before something is done."""

from typing import Any

from unfold.forms import BaseDialogForm


class ConfirmForm(BaseDialogForm):  # type: ignore[misc]
    """Nothing to fill in: the dialog's text says what will happen."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)

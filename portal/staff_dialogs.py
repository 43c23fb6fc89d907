"""Dialogs that ask before something is done."""

from typing import Any

from unfold.forms import BaseDialogForm


class ConfirmForm(BaseDialogForm):  # type: ignore[misc]
    """Nothing to fill in: the dialog's text says what will happen."""


def asking(*, title: Any, says: Any, button: Any) -> dict[str, Any]:
    """An action's `dialog`: what will happen, and a button to have it happen. The texts are translated when shown."""
    return {"title": title, "description": says, "form_class": ConfirmForm, "form_submit_text": button}

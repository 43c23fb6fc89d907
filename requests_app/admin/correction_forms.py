"""Staff's fields for what is to be corrected; a correction is added or taken away without a script."""

from collections.abc import Sequence
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from requests_app import correcting
from requests_app.rights import rectification

_HELP = gettext_lazy(
    "Such as surname, or last employer. Heed itself amends where they live (write jurisdiction, and a code such as "
    "US-CA) and whether they are a minor (write minor, and yes or no)."
)


class StaffCorrectionsForm(correcting.CorrectionsForm):
    """A form of staff's with corrections: none at all may stand in it, because a letter says it in words."""

    def __init__(
        self, data: QueryDict | None = None, *args: Any, kept: Sequence[dict[str, str]] = (), **kwargs: Any
    ) -> None:
        self.is_rearranging = data is not None and correcting.is_rearranging(data)
        if data is not None and self.is_rearranging:
            data = correcting.rearranged(data)
        super().__init__(data, *args, **kwargs)
        rows = correcting.rows_of(data, list(kept))
        self.open_rows(rows, line=UnfoldAdminTextInputWidget, lines=UnfoldAdminTextareaWidget)
        self.fields["about"].help_text = _HELP
        if self.is_rearranging:
            self._begin_with(rows)

    @property
    def refused(self) -> list[tuple[str, str, str]]:
        """(which field, its id, what is wrong with it): a page that is long tells it at its beginning."""
        which = {
            correcting.name(part, number): _("Correction %d: ") % (number + 1)
            for number in range(self._rows)
            for part in correcting.PARTS
        }
        return [
            (f"{which.get(field.name, '')}{field.label}", field.id_for_label or field.auto_id, str(error))
            for field in self
            for error in field.errors
        ]

    def is_valid(self) -> bool:
        """Whether there is something to do: whoever only rearranges is told of nothing wrong yet."""
        return not self.is_rearranging and super().is_valid()

    def full_clean(self) -> None:
        super().full_clean()
        if self.is_rearranging:
            self.errors.clear()

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        self.check_corrections(may_be_none=True)
        said = self.filled_corrections()
        if said and self.errors.keys().isdisjoint(correcting.fields(self._rows)):
            try:
                rectification.details({"corrections": said})
            except rectification.CorrectionError as error:
                self.add_correction_error(error)
        return cleaned

    def _begin_with(self, rows: int) -> None:
        """Where whoever pressed the button goes on: in what was added, or in what came in the place of what went."""
        gone = str(self.data.get(correcting.TAKE_AWAY, ""))
        number = min(int(gone), rows - 1) if gone.isdecimal() else rows - 1
        self.fields[correcting.name("about", number)].widget.attrs["autofocus"] = True

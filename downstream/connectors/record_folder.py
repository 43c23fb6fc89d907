"""Folders of records that hold whatever they hold: what only some of them hold is told by looking at each."""

from downstream.connectors.base import Description
from downstream.connectors.file_folder import FileFolder


class RecordFolder(FileFolder):
    """Implements `downstream.connectors.base.Connector`."""

    def describe(self) -> Description:
        described = super().describe()
        for file in self._each(self._files()):
            # of nobody's keys: it refuses records that name a list of people, wherever they stand
            self._engine.locate([file], key_column=self._key_column, keys=())
        return described

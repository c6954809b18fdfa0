"""Earlier versions of the label files, to be restored on request."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from napari_al_pose.formats.atomic import cannot_write

KEPT = 10
"""Number of versions kept for each video."""
OWN_EVERY = timedelta(minutes=1)
"""We write after each complete frame; of those versions, only one in this period is kept."""
_FOR_GOOD = "for-good"
_NAME = re.compile(rf"(\d+)_(\d{{8}}T\d{{6}}Z)(_{_FOR_GOOD})?")


@dataclass(frozen=True, slots=True)
class LabelVersion:
    """An earlier version of one video's label files.

    Parameters
    ----------
    number : int
        Increases with each version, whatever the clock says.
    folder : Path
        Holds copies of the files under their own names.
    time : datetime
        When they were copied, UTC.
    for_good : bool
        Whether it stays when newer versions push others out.
    """

    number: int
    folder: Path
    time: datetime
    for_good: bool


class LabelBackups:
    """Versions of one video's label files.

    Parameters
    ----------
    folder : Path
        ``al-pose/backups/<video>``; it need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def versions(self) -> list[LabelVersion]:
        """Return the kept versions, oldest first."""
        if not self._folder.is_dir():
            return []
        found = [_version(path) for path in self._folder.iterdir() if path.is_dir()]
        return sorted((version for version in found if version is not None), key=lambda version: version.number)

    def keep(self, files: Sequence[Path], *, ours: bool, for_good: bool = False) -> None:
        """Copy files that are about to be replaced; the oldest version goes if there are more than `KEPT`.

        Parameters
        ----------
        files : sequence of Path
            Nothing happens if it is empty.
        ours : bool
            Whether this program wrote them; other programs' versions are always kept.
        for_good : bool
            Keep this version, however many follow.

        Raises
        ------
        AlPoseError
            If the copies can't be written.
        """
        versions, now = self.versions(), datetime.now(UTC)
        if not files or (ours and not for_good and versions and abs(now - versions[-1].time) < OWN_EVERY):
            return
        number = versions[-1].number + 1 if versions else 1
        name = f"{number:05d}_{now:%Y%m%dT%H%M%SZ}" + (f"_{_FOR_GOOD}" if for_good else "")
        temporary = self._folder / f".{name}"
        try:
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir(parents=True)
            for file in files:
                shutil.copy2(file, temporary / file.name)
            temporary.rename(self._folder / name)
        except OSError as error:
            shutil.rmtree(temporary, ignore_errors=True)
            raise cannot_write(self._folder, error) from error
        for unfinished in self._folder.glob(".*"):  # left by a program that was killed
            shutil.rmtree(unfinished, ignore_errors=True)
        bounded = [version for version in self.versions() if not version.for_good]
        for version in bounded[:-KEPT]:
            shutil.rmtree(version.folder, ignore_errors=True)


def _version(path: Path) -> LabelVersion | None:
    match = _NAME.fullmatch(path.name)
    if match is None:
        return None
    time = datetime.strptime(match[2], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return LabelVersion(int(match[1]), path, time, match[3] is not None)

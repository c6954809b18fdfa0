"""Suspicious labels, and those that a person confirmed."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from napari_al_pose.domain.label_checks import LabelCheck
from napari_al_pose.formats.atomic import write_text

logger = logging.getLogger(__name__)


class _ChecksFile(BaseModel):
    model_config = ConfigDict(ser_json_inf_nan="constants")

    checks: tuple[LabelCheck, ...] = ()
    found_right: tuple[LabelCheck, ...] = ()


class CheckStore:
    """The label checks of the last round.

    Parameters
    ----------
    path : Path
        ``al-pose/checks.json``; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> tuple[LabelCheck, ...]:
        """Return the labels to check, the most suspicious first; none if the file is damaged."""
        return self._read().checks

    def save(self, checks: Sequence[LabelCheck]) -> tuple[LabelCheck, ...]:
        """Store the labels to check, without those confirmed as they are, and return them.

        Raises
        ------
        AlPoseError
            If the file can't be written.
        """
        right = self._read().found_right
        places = {_place(check) for check in right}
        kept = tuple(check for check in checks if _place(check) not in places)
        self._write(kept, right)
        return kept

    def find_right(self, check: LabelCheck) -> None:
        """Record that a label is right as it is; it is not listed again unless it is moved.

        Raises
        ------
        AlPoseError
            If the file can't be written.
        """
        before = self._read()
        self._write(tuple(other for other in before.checks if other != check), (*before.found_right, check))

    def doubt_again(self, check: LabelCheck) -> None:
        """Take `find_right` back: the label is listed again, before the others.

        Raises
        ------
        AlPoseError
            If the file can't be written.
        """
        before = self._read()
        right = tuple(other for other in before.found_right if other != check)
        self._write((check, *(other for other in before.checks if other != check)), right)

    def _read(self) -> _ChecksFile:
        try:
            return _ChecksFile.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return _ChecksFile()
        except (OSError, ValidationError) as error:
            logger.warning("%s could not be read and is ignored: %s", self._path, error)
            return _ChecksFile()

    def _write(self, checks: tuple[LabelCheck, ...], right: tuple[LabelCheck, ...]) -> None:
        write_text(self._path, _ChecksFile(checks=checks, found_right=right).model_dump_json(indent=1))


def _place(check: LabelCheck) -> tuple[object, ...]:
    return check.key, check.bodypart, check.kind, round(check.x, 2), round(check.y, 2)

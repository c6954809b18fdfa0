"""Where changes of tracks are kept: one small file beside the predictions of a video."""

from __future__ import annotations

from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from napari_al_pose.domain import AlPoseError
from napari_al_pose.domain.track_edits import TrackEdits
from napari_al_pose.formats.atomic import write_text

_FILE = TypeAdapter(TrackEdits)


def edits_path(predictions: Path) -> Path:
    """Return where the changes of the tracks in an array are kept."""
    return predictions.with_suffix(".edits")


def read_edits(predictions: Path, n_tracks: int) -> TrackEdits:
    """Return the changes of the tracks in an array of ``n_tracks`` animals; none where there is no file.

    Raises
    ------
    AlPoseError
        If the file is damaged, or is of other tracks.
    """
    path = edits_path(predictions)
    try:
        edits = _FILE.validate_json(path.read_bytes())
    except FileNotFoundError:
        return TrackEdits()
    except (OSError, ValidationError) as error:
        raise _unreadable(path, "could not be read") from error
    if not edits.fits(n_tracks):
        raise _unreadable(path, f"changes tracks that the predictions of {n_tracks} animals lack")
    return edits


def write_edits(predictions: Path, edits: TrackEdits) -> None:
    """Keep the changes of the tracks in an array, before this returns; AlPoseError if they can't be written."""
    write_text(edits_path(predictions), _FILE.dump_json(edits).decode())


def _unreadable(path: Path, why: str) -> AlPoseError:
    return AlPoseError(
        f"{path}, which holds your changes of the tracks, {why}.",
        "Restore it from a backup, or remove it to see the tracks as they were predicted.",
    )

"""Questions for files."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QWidget

from napari_al_pose.domain.file_names import CONFIG_SUFFIXES, SLEAP_SUFFIX, VIDEO_SUFFIXES


def ask_for_videos(parent: QWidget) -> list[Path]:
    """Ask for video files; empty if the user thinks better of it."""
    patterns = " ".join(f"*{suffix}" for suffix in VIDEO_SUFFIXES)
    paths, _ = QFileDialog.getOpenFileNames(parent, "Choose videos", "", f"Videos ({patterns});;All files (*)")
    return [Path(path) for path in paths]


def ask_for_predictions(parent: QWidget) -> list[Path]:
    """Ask for files of predictions; empty if the user thinks better of it."""
    kinds = "Predictions of DeepLabCut, SLEAP, Lightning Pose (*.h5 *.slp *.csv);;All files (*)"
    paths, _ = QFileDialog.getOpenFileNames(parent, "Choose predictions, named after their videos", "", kinds)
    return [Path(path) for path in paths]


def ask_for_project(parent: QWidget) -> Path | None:
    """Ask for a project's config.yaml or SLEAP's file of labels; None if the user thinks better of it."""
    patterns = " ".join(f"*{suffix}" for suffix in (*CONFIG_SUFFIXES, SLEAP_SUFFIX))
    kinds = f"DeepLabCut project or SLEAP labels ({patterns});;All files (*)"
    path, _ = QFileDialog.getOpenFileName(parent, "Open project", "", kinds)
    return Path(path) if path else None

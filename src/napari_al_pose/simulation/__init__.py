"""The loop with known labels in the annotator's place: what each strategy saves, measured in pairs."""

from napari_al_pose import openmp  # noqa: F401  # before anything that imports torch

"""How well each model had predicted the frames that were labelled next: what dynamic strategies weigh by."""

from __future__ import annotations

import numpy as np

from napari_al_pose.acquisition.reliability import agreement, update
from napari_al_pose.domain import FrameKey, Prediction
from napari_al_pose.project import Project


def measured_reliability(project: Project) -> float:
    """Return the reliability after the batches labelled so far, in [0, 1]; 0 before the second round.

    A labelled frame that version v has predictions for was labelled after v was trained; if v + 1 has none, it was
    labelled before v + 1 looked at the pool, and so belongs to the batch between the two.
    """
    annotations = {a.key: a.xy for a in project.labels.annotations() if a.is_complete}
    outputs = [project.predictions.load(version) for version in project.models.versions()]
    reliability = 0.0
    for i, output in enumerate(outputs):
        later: dict[FrameKey, Prediction] = outputs[i + 1] if i + 1 < len(outputs) else {}
        batch = [key for key in annotations if key in output and key not in later]
        if batch:
            predicted = np.stack([output[key].xy for key in batch])
            reliability = update(reliability, agreement(predicted, np.stack([annotations[key] for key in batch])))
    return reliability

"""Arrays beyond the usual ones that a strategy can request by name. The engine computes them, in torch if necessary.

A strategy names arrays that it can't do without in ``needs`` and arrays that it uses if available in ``wants``. Both
arrive in `ScoreContext.extra`. Rows belong to the pool's frames (``N``) or to ``labelled_keys`` (``M``).
"""

from __future__ import annotations

import enum


class Extra(enum.StrEnum):
    """Names of the arrays, with their shapes."""

    NEIGHBOUR_XY = "neighbour_xy"
    """``(N, 2, K, 2)`` predicted poses one frame before and one after, source pixels; NaN if that frame does not exist
    or lies in another group of pictures, where it would cost as much as everything else."""

    ANIMALS_XY = "animals_xy"
    """``(N, A, K, 2)`` poses of all animals found, source pixels, the surest first; NaN if there are fewer than A."""

    ANIMAL_SCORES = "animal_scores"
    """``(N, A)`` how sure the model is of each of these animals, in [0, 1]."""

    SCOREMAP_CHANGE = "scoremap_change"
    """``(N, 2, K)`` for the same neighbours, `napari_al_pose.acquisition.strategies.thc.scoremap_change`, in [0, 1]."""

    EMBEDDING = "embedding"
    """``(N, C)`` the pose network's last features, averaged over the image; they change with every model."""

    EMBEDDING_LABELLED = "embedding_labelled"
    """``(M, C)`` the same for labelled frames."""

    KEYPOINT_FEATURES = "keypoint_features"
    """``(N, K, C)`` the pose network's last features at the predicted keypoints."""

    KEYPOINT_FEATURES_LABELLED = "keypoint_features_labelled"
    """``(M, K, C)`` the same for labelled frames."""

    DROPOUT_XY = "dropout_xy"
    """``(N, T, K, 2)`` poses of T passes with a tenth of the last features' channels dropped, source pixels."""

    TURNED_XY = "turned_xy"
    """``(N, T, K, 2)`` poses in rotated and scaled copies of the frame, mapped back to source pixels."""

    ENSEMBLE_XY = "ensemble_xy"
    """``(N, V, K, 2)`` poses by the newest version and earlier ones; NaN if a version did not predict the frame."""

    PREDICTED_LOSS = "predicted_loss"
    """``(N,)`` the training loss predicted by an auxiliary network that was trained by Learning Loss."""

    PREDICTED_LOSS_PP = "predicted_loss_pp"
    """``(N,)`` the same, trained by LearningLoss++."""

    LOG_VARIANCE = "log_variance"
    """``(N, K)`` log variance of a bodypart's position predicted by an auxiliary network, in animal sizes squared."""

    LINK_LENGTHS = "link_lengths"
    """``(N, links, 2)`` mean length in animal sizes, and log variance, of each link of the skeleton, predicted by an
    auxiliary network."""

    GRADIENT_LENGTHS = "gradient_lengths"
    """``(N, M)`` squared length of the last layer's gradient if frame ``i`` had the scoremaps of labelled frame ``j``;
    NaN except for the 30 labelled frames nearest in ``embedding``."""

    FULL_GRADIENT_LENGTHS = "full_gradient_lengths"
    """``(N, M)`` the same over all convolutions: a backward pass for every pair."""

    BODYPART_QUALITY = "bodypart_quality"
    """``(K,)`` how well each bodypart was predicted in the batches labelled last, in [0, 1]."""

    ERRORS_LABELLED = "errors_labelled"
    """``(M,)`` largest error in each labelled frame, in animal lengths, of the last model that had not seen the label;
    infinite if it missed a bodypart, NaN if no model had predicted the frame."""

    ALEXNET = "alexnet"
    """``(N, 4096)`` AlexNet's units after ``fc6`` and its ReLU."""

    DINOV2 = "dinov2"
    """``(N, 384)`` class token of DINOv2 ViT-S/14."""

    DINOV2_LABELLED = "dinov2_labelled"
    """``(M, 384)`` the same for labelled frames."""

    THUMBNAILS = "thumbnails"
    """``(N, 64, 64, 3)`` the frame, squeezed, uint8."""

    MOTION_ENERGY = "motion_energy"
    """``(N,)`` summed absolute difference between the thumbnails of a frame and a neighbour; NaN without a
    neighbour."""

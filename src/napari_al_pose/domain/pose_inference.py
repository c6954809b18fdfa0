"""Infers the unlabelled points of a frame from the scoremaps, the clicks and the pose prior.

Before the first click, the same inference improves on the peaks of the scoremaps: the prior moves uncertain points to
where poses have them.

Let ``C`` be the points that a person placed and ``S_j`` the scoremap of bodypart ``j`` with peaks at ``x_jp``. We look
for the pose ``x`` and the similarity ``T`` (translation, rotation, scale) that maximise

    p(x | clicks) ~ N(T^-1 x; mean, covariance) p(T) prod_j w_j(x_j),    x_C as clicked

where mean, covariance and ``p(T)`` come from the prior (`pose_prior`). A bodypart is

- at one of its peaks that the prior allows: ``w_j = q S_jp^4 / sum_p S_jp^4`` with ``q = S / (S + 0.01)`` of the
highest peak. A low peak is seldom wrong, as nothing else was found, but it is less precise: the standard deviation of
its position falls from 4.5 % of the animal's length at height 0 to 1.5 % at 1 (measured on openfield, Reaching and lips
with 5 to 40 labels);
- at a peak that no label would allow, one time in five; it then says nothing about other bodyparts;
- anywhere else in the image, ``1 - q``. It is then drawn where the prior expects it, or left alone if that is vague.

In the end, a point at a low peak is drawn between the peak and its expectation given all others, weighted by their
precisions. Conditional Gaussians are as in Bishop 2006, *Pattern Recognition and Machine Learning*, 2.3.1.

The search first rates similarities with every bodypart on its own: those that put a clicked point and one candidate of
another bodypart on the mean pose, and those that fit the whole guess or the clicks alone. It then refines the best few
in turns (iterated conditional modes, Besag 1986): every point given all others, then the similarity given the pose. The
best pose wins. Nothing is random. So an exchanged left and right, or a limb found on the wrong side, is corrected as
soon as a click rules out the pose in which it looked right.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain.evidence import Evidence
from napari_al_pose.domain.pose_gaussian import TANGENT, given_others
from napari_al_pose.domain.pose_posterior import OUTLIER_SHARE, PosteriorTerms, log_normal
from napari_al_pose.domain.pose_prior import PosePrior
from napari_al_pose.domain.similarity import ComplexArray, align, to_flat

_HYPOTHESES = 5
_TURNS = 4
_MOST_PAIRS = 240
_ABSENT = 1e4
"""Variance of a point that was not found, in the prior's unit; such a point says nothing."""

_FEWEST_GUESSES = 3
_ANCHORS = 2
"""Without a click, similarities are made from this many bodyparts, those with the highest peaks."""

_SHORT = 0.3
"""Two points of the mean pose nearer than this, in its radius, do not tell its direction."""

_VAGUE = 0.5
"""Standard deviation, in the pose's radius, above which the prior's expectation of a bodypart is ignored."""


@dataclass(frozen=True, slots=True, eq=False)
class InferredPose:
    """An inferred pose.

    Parameters
    ----------
    xy : float64 array, (K, 2)
        Source pixels. Unchanged for points that were clicked, are not open, or were left alone.
    changed : bool array, (K,)
        The points that moved.
    """

    xy: NDArray[np.float64]
    changed: NDArray[np.bool_]


def infer_pose(
    prior: PosePrior,
    evidence: Evidence,
    *,
    xy: NDArray[np.floating],
    clicked: NDArray[np.bool_],
    open_: NDArray[np.bool_],
) -> InferredPose:
    """Infer the open points, given the clicks.

    Parameters
    ----------
    prior : PosePrior
        For the same bodyparts.
    evidence : Evidence
        Of the frame.
    xy : float array, (K, 2)
        Source pixels: the clicked points, and the present guess elsewhere (NaN for none).
    clicked, open_ : bool array, (K,)
        Placed by a person; to be inferred. Points that are neither, such as bodyparts marked not visible, are ignored.

    Returns
    -------
    InferredPose
        The input, if nothing is open, or if there is neither a click nor a guess of three bodyparts.

    Raises
    ------
    ValueError
        If the prior or the evidence is for other bodyparts.
    """
    before = np.array(xy, np.float64)
    if len(before) != prior.n_bodyparts or len(evidence.xy) != len(before):
        raise ValueError(f"Expected {prior.n_bodyparts} bodyparts, got {len(before)} and {len(evidence.xy)}.")
    there = np.isfinite(before).all(axis=1)
    told = clicked[prior.known].any() or (open_ & there)[prior.known].sum() >= _FEWEST_GUESSES
    if not (told and (clicked | open_)[there].any() and open_[prior.known].any()):
        return InferredPose(before, np.zeros(len(before), bool))
    found = []
    for part in prior.components:
        terms = PosteriorTerms.of(prior, part, evidence, xy=before, clicked=clicked, open_=open_)
        best = _refined(terms, *_likeliest(terms, *_similarities(terms)))
        found.append((best.energy + float(np.log(part.weight)), terms, best))
    _, terms, best = max(found, key=lambda one: one[0])
    z, decided = _drawn(terms, best)
    rows = prior.known[decided]
    after = before.copy()
    after[rows] = np.stack([z[decided].real, z[decided].imag], axis=-1)
    moved = (~there & np.isfinite(after).all(axis=1)) | (np.nan_to_num(np.abs(after - before)).max(axis=1) > 1e-6)
    return InferredPose(after, moved)


@dataclass(frozen=True, slots=True, eq=False)
class _Pose:
    """The poses to try, H of them.

    Parameters
    ----------
    a, b : complex array, (H,)
        Their similarities, ``image = a * pose + b``.
    z : complex array, (H, K')
        Source pixels.
    placed : bool array, (H, K')
        Whether a point is at a click, or at a peak that the prior allows; such points inform others.
    shown : bool array, (H, K')
        Whether it is at a click or at any peak.
    noise : float array, (H, K')
        Variance of its position, in the prior's unit.
    log_weight : float array, (H,)
        Log weight of the choice in the scoremaps.
    """

    a: ComplexArray
    b: ComplexArray
    z: ComplexArray
    placed: NDArray[np.bool_]
    shown: NDArray[np.bool_]
    noise: NDArray[np.float64]
    log_weight: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class _Given:
    """Each point's expectation given all others, in the prior's frame, and the density of each pose.

    Parameters
    ----------
    mean : complex array, (H, K')
    covariance : float array, (H, K', 2, 2)
    density : float array, (H,)
        Log density of the placed points, in square source pixels, and of the similarity.
    """

    mean: ComplexArray
    covariance: NDArray[np.float64]
    density: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class _Best:
    """The best of some poses; its arrays are of one pose, see `_Pose` and `_Given`."""

    energy: float
    a: complex
    b: complex
    z: ComplexArray
    placed: NDArray[np.bool_]
    shown: NDArray[np.bool_]
    noise: NDArray[np.float64]
    mean: ComplexArray
    covariance: NDArray[np.float64]


# ---- hypotheses -----------------------------------------------------------------------------------


def _similarities(terms: PosteriorTerms) -> tuple[ComplexArray, ComplexArray]:
    """Return the similarities to try, both (H,)."""
    mean = terms.part.mean
    guessed = np.isfinite(terms.guess)
    fits = [terms.clicked, terms.clicked | (terms.open_ & guessed)]
    weights = np.array([where.astype(np.float64) for where in fits if where.sum() >= 2]).reshape(-1, len(mean))
    a, b = align(mean, np.broadcast_to(np.where(guessed, terms.guess, 0), weights.shape), weights)
    apart = np.abs(mean[:, None] - mean) > _SHORT
    anchors, at = terms.clicked, terms.guess
    if not anchors.any():
        anchors = np.isin(np.arange(len(mean)), np.argsort(-terms.height[:, 0], kind="stable")[:_ANCHORS])
        anchors, at = anchors & terms.there[:, 0], terms.candidates[:, 0]
    one, other, peak = np.nonzero(anchors[:, None, None] & terms.there[None] & apart[..., None])
    if len(one) > _MOST_PAIRS:
        kept = np.argsort(-terms.height[other, peak], kind="stable")[:_MOST_PAIRS]
        one, other, peak = one[kept], other[kept], peak[kept]
    clicked = at[one]
    along = terms.candidates[other, peak] - clicked
    useful = np.abs(along) > 1e-9
    pair_a = along[useful] / (mean[other] - mean[one])[useful]
    pair_b = clicked[useful] - pair_a * mean[one][useful]
    if not len(a) and not len(pair_a):
        # One click and nothing else: use the usual size and direction of poses.
        only = np.exp(terms.log_size[0] + 1j * terms.direction[0])
        k = int(np.flatnonzero(terms.clicked)[0])
        return np.array([only]), np.array([terms.guess[k] - only * mean[k]])
    return np.concatenate([a, pair_a]), np.concatenate([b, pair_b])


def _likeliest(terms: PosteriorTerms, a: ComplexArray, b: ComplexArray) -> tuple[ComplexArray, ComplexArray]:
    """Return the similarities that are likeliest with every bodypart on its own."""
    n, mean = len(a), terms.part.mean
    loose = np.broadcast_to(terms.own + (0.3 * TANGENT[0]) ** 2 * np.eye(2), (n, *terms.own.shape))
    peaks = terms.log_candidates(terms.log_inside(a, b, np.broadcast_to(mean, (n, len(mean))), loose))
    rated = np.where(terms.open_, np.maximum(peaks.max(axis=2), terms.log_elsewhere), 0.0).sum(axis=1)
    at = (np.where(terms.clicked, terms.guess, 0)[None] - b[:, None]) / a[:, None] - mean
    clicks = log_normal(at, loose) - 2 * np.log(np.abs(a))[:, None]
    rated += np.where(terms.clicked, clicks, 0.0).sum(axis=1) + terms.log_similarity(a)
    order = np.argsort(-rated, kind="stable")[:_HYPOTHESES]
    return a[order], b[order]


# ---- refinement -----------------------------------------------------------------------------------


def _refined(terms: PosteriorTerms, a: ComplexArray, b: ComplexArray) -> _Best:
    """Refine similarities and their poses in turns; return the best of all."""
    shape = (len(a), len(terms.own))
    clicked = np.broadcast_to(terms.clicked, shape)
    z = np.broadcast_to(np.where(terms.clicked, terms.guess, 0), shape)
    pose = _Pose(a, b, z, clicked, clicked, np.full(shape, terms.click_noise), np.zeros(len(a)))
    return max(_turns(terms, pose), key=lambda one: one.energy)


def _turns(terms: PosteriorTerms, pose: _Pose) -> Iterator[_Best]:
    """Yield the best after each turn."""
    given = _given(terms, pose)
    for _ in range(_TURNS):
        pose = _decided(terms, pose, given)
        given = _given(terms, pose)
        energy = pose.log_weight + given.density
        top = int(energy.argmax())
        yield _Best(
            energy=float(energy[top]),
            a=complex(pose.a[top]),
            b=complex(pose.b[top]),
            z=pose.z[top],
            placed=pose.placed[top],
            shown=pose.shown[top],
            noise=pose.noise[top],
            mean=given.mean[top],
            covariance=given.covariance[top],
        )


def _given(terms: PosteriorTerms, pose: _Pose) -> _Given:
    """Return expectations and densities of poses, from one inverse of each."""
    noise = np.where(pose.placed, pose.noise, _ABSENT)
    offset = np.where(pose.placed, (pose.z - pose.b[:, None]) / pose.a[:, None] - terms.part.mean, 0)
    covariance = np.repeat(terms.covariance[None], len(pose.a), axis=0)
    diagonal = np.arange(covariance.shape[-1])
    covariance[:, diagonal, diagonal] += np.repeat(noise, 2, axis=1)
    precision = np.linalg.inv(covariance)
    expected, spread = given_others(precision, offset)
    flat, n_placed = to_flat(offset), pose.placed.sum(axis=1)
    square = (flat * (precision @ flat[..., None])[..., 0]).sum(axis=1)
    absent = 2 * np.log(_ABSENT) * (~pose.placed).sum(axis=1)
    density = -0.5 * (square - np.linalg.slogdet(precision)[1] - absent) - np.log(2 * np.pi) * n_placed
    density += terms.log_similarity(pose.a) - 2 * np.log(np.abs(pose.a)) * n_placed
    return _Given(expected + terms.part.mean, spread - noise[..., None, None] * np.eye(2), density)


def _decided(terms: PosteriorTerms, pose: _Pose, given: _Given) -> _Pose:
    """Move each point to its best position given the others, and the similarity to fit the points."""
    inside = terms.log_inside(pose.a, pose.b, given.mean, given.covariance)
    rated = terms.log_candidates(inside)
    best = rated.argmax(axis=2)[..., None]

    def of_best(values: NDArray[Any]) -> NDArray[Any]:
        return np.take_along_axis(np.broadcast_to(values, rated.shape), best, axis=2)[..., 0]

    at_peak = (rated.max(axis=2) > terms.log_elsewhere) & terms.open_
    fits = at_peak & (of_best(inside) > terms.log_outlier)
    z = np.where(at_peak, of_best(terms.candidates), np.where(terms.clicked, terms.guess, 0))
    kind = np.where(fits, np.log(1 - OUTLIER_SHARE), terms.log_outlier)
    log_weight = np.where(at_peak, of_best(terms.log_mass) + kind, terms.log_elsewhere)
    placed, noise = fits | terms.clicked, np.where(terms.clicked, terms.click_noise, of_best(terms.noise))
    spread = np.trace(terms.own, axis1=1, axis2=2) / 2
    a, b = align(terms.part.mean, z, placed / (spread + noise))
    return _Pose(
        a=a,
        b=b,
        z=z,
        placed=placed,
        shown=at_peak | terms.clicked,
        noise=noise,
        log_weight=np.where(terms.open_, log_weight, 0.0).sum(axis=1),
    )


def _drawn(terms: PosteriorTerms, pose: _Best) -> tuple[ComplexArray, NDArray[np.bool_]]:
    """Return where the points of a pose are drawn, (K',) in source pixels, and which of them are decided."""
    peak = (pose.z - pose.b) / pose.a
    both = pose.covariance + pose.noise[:, None, None] * np.eye(2)
    towards = to_flat((pose.mean - peak)[:, None])[..., None]
    step = pose.noise[:, None] * np.linalg.solve(both, towards)[..., 0]
    step = np.where((pose.noise > terms.steady_noise)[:, None], step, 0.0)
    between = peak + step[:, 0] + 1j * step[:, 1]
    expected = pose.a * pose.mean + pose.b
    z = np.where(pose.placed, pose.a * between + pose.b, np.where(pose.shown, pose.z, expected))
    vague = ~pose.shown & (np.sqrt(np.trace(pose.covariance, axis1=1, axis2=2) / 2) > _VAGUE)
    return z, terms.open_ & ~vague & np.isfinite(z)

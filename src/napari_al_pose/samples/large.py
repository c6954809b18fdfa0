"""A large form of the sample: ten mice that look different, 2,000 labelled frames of each, drawn when asked for.

Made for experiments in which the animals measured on are never those learnt from. Nothing of it is kept on disk.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import AlPoseError, Skeleton
from napari_al_pose.samples.anatomy import BODYPARTS, SKELETON
from napari_al_pose.samples.arena import Arena, home_cage, open_field
from napari_al_pose.samples.footage import Footage, Scene
from napari_al_pose.samples.mouse import Coat

FRAMES_A_VIDEO = 2_000

_TONES = (
    # back, skin, eye, contrast, sheen: black, white, agouti, fawn, grey, chocolate, silver, cinnamon, blue, cream
    ((58, 50, 45), (176, 132, 122), (14, 11, 11), 0.16, 26.0),
    ((212, 205, 194), (222, 172, 160), (126, 30, 34), 0.07, 16.0),
    ((116, 92, 66), (184, 140, 124), (16, 12, 10), 0.3, 22.0),
    ((196, 158, 104), (220, 168, 150), (90, 34, 32), 0.12, 20.0),
    ((122, 120, 120), (190, 150, 146), (20, 16, 18), 0.14, 24.0),
    ((78, 52, 38), (180, 132, 120), (18, 12, 10), 0.15, 34.0),
    ((166, 166, 168), (206, 164, 158), (60, 24, 28), 0.1, 30.0),
    ((148, 94, 56), (196, 144, 126), (20, 14, 12), 0.2, 24.0),
    ((86, 94, 106), (172, 138, 138), (16, 14, 18), 0.12, 32.0),
    ((228, 214, 184), (226, 180, 164), (110, 36, 36), 0.06, 14.0),
)
_LOOKS = (
    # arena, its tint, size of the animal, flicker
    (home_cage, (1.0, 1.0, 1.0), 1.0, 0.07),
    (open_field, (1.0, 1.0, 1.0), 0.92, 0.1),
    (open_field, (1.7, 1.6, 1.45), 1.06, 0.05),
    (home_cage, (0.62, 0.66, 0.74), 0.84, 0.12),
    (home_cage, (1.08, 0.94, 0.78), 1.14, 0.06),
    (open_field, (2.4, 2.3, 2.2), 0.96, 0.08),
    (open_field, (0.6, 0.7, 0.6), 0.88, 0.14),
    (home_cage, (0.8, 0.84, 0.7), 1.02, 0.1),
    (open_field, (1.3, 1.15, 1.5), 1.1, 0.07),
    (home_cage, (0.5, 0.46, 0.44), 0.94, 0.09),
)


def large_skeleton() -> Skeleton:
    """Return the bodyparts and links of the large sample."""
    return Skeleton(BODYPARTS, SKELETON)


def large_scenes() -> tuple[Scene, ...]:
    """Return the ten scenes, ``mouse-01`` to ``mouse-10``."""
    return tuple(
        Scene(f"mouse-{i + 1:02d}", _tinted(arena, tint), _coat(*tones), size=size, flicker=flicker)
        for i, (tones, (arena, tint, size, flicker)) in enumerate(zip(_TONES, _LOOKS, strict=True))
    )


def draw_large(
    scene: int, numbers: Sequence[int], *, seed: int = 0
) -> tuple[Iterator[NDArray[np.uint8]], NDArray[np.float64]]:
    """Draw frames of one of the ten videos.

    Parameters
    ----------
    scene : int
        0 to 9.
    numbers : sequence of int
        Frames wanted, 0 to 1,999; each is the same whichever others are drawn.
    seed : int
        Of arenas, fur, motion and noise.

    Returns
    -------
    iterator of uint8 array, (480, 640, 3)
        The frames, drawn one by one.
    float64 array, (len(numbers), K, 2)
        Where their bodyparts are, source pixels; NaN where they cannot be seen.

    Raises
    ------
    AlPoseError
        If there is no such scene or frame.
    """
    scenes = large_scenes()
    if not 0 <= scene < len(scenes) or any(not 0 <= number < FRAMES_A_VIDEO for number in numbers):
        raise AlPoseError(
            f"Expected a scene below {len(scenes)} and frames below {FRAMES_A_VIDEO}, got scene {scene}, "
            f"frames {min(numbers, default=0)} to {max(numbers, default=0)}.",
            "Ask for frames the large sample has.",
        )
    state = np.random.SeedSequence([seed, scene])
    footage = Footage(scenes[scene], FRAMES_A_VIDEO, np.random.default_rng(state))
    return footage.frames(numbers), footage.truth()[list(numbers)]


def _coat(
    back: tuple[int, int, int],
    skin: tuple[int, int, int],
    eye: tuple[int, int, int],
    contrast: float,
    sheen: float,
) -> Coat:
    return Coat(
        back=back,
        flank=_mixed(back, skin, 0.2),
        ear=_mixed(back, skin, 0.35),
        ear_inside=_mixed(back, skin, 0.7),
        skin=skin,
        tail=_mixed(back, skin, 0.5),
        eye=eye,
        contrast=contrast,
        sheen=sheen,
    )


def _mixed(a: tuple[int, int, int], b: tuple[int, int, int], share: float) -> tuple[int, int, int]:
    red, green, blue = (round((1 - share) * x + share * y) for x, y in zip(a, b, strict=True))
    return red, green, blue


def _tinted(
    arena: Callable[[np.random.Generator], Arena], tint: tuple[float, float, float]
) -> Callable[[np.random.Generator], Arena]:
    """Return ``arena`` with another colour of its floor and shelter."""

    def build(rng: np.random.Generator) -> Arena:
        plain = arena(rng)
        colour = np.array(tint, np.float32)
        return dataclasses.replace(
            plain, floor=np.clip(plain.floor * colour, 0, 250), shelter=np.clip(plain.shelter * colour, 0, 250)
        )

    return build

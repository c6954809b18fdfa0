"""A long form of the sample: recordings as laboratories have them, in which the animal mostly rests.

Ten mice that look different, two recordings of each (``day1`` to label, ``day2`` to measure on), 5 to 40 minutes long.
Some behaviours are rare, and so are the things that go wrong: a hand reaches in, the light goes out, a camera is bumped
and looks elsewhere from then on. What is shown is known for every frame. Nothing of it is kept on disk; frames are
drawn when asked for, so that a strategy can choose from whole recordings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import AlPoseError
from napari_al_pose.samples.anatomy import Anatomy, build
from napari_al_pose.samples.arena import HEIGHT, WIDTH, Arena
from napari_al_pose.samples.footage import Scene, light_drift, lit, sensor_noise, under_body
from napari_al_pose.samples.large import large_scenes
from napari_al_pose.samples.motion import BOUTS, FPS, Motion, Repertoire, simulate
from napari_al_pose.samples.mouse import MousePainter
from napari_al_pose.samples.raster import Floats, blend, capsule_distance, coverage, window

DAYS = ("day1", "day2")
BEHAVIOURS = (*BOUTS, "hand", "dark")
"""What a frame can show: what the mouse does, or what happens to it."""

_MINUTES = (20, 40, 5, 12, 30, 8, 25, 15, 35, 10)
"""Length of each mouse's recordings."""

_BUMPED = 4
"""The mouse whose camera is moved, in the middle of both recordings."""

_TILES = 4
_DARKNESS = 0.22
_GLOVE = np.array((92, 128, 176), np.float32)


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happens to a recording.

    Parameters
    ----------
    what : str
        "hand" or "dark".
    start, stop : int
        Frames.
    place : (float, float)
        Where the hand reaches, source pixels.
    side : float
        Where on the upper edge the arm comes from, source pixels.
    """

    what: str
    start: int
    stop: int
    place: tuple[float, float] = (0.0, 0.0)
    side: float = 0.0

    def reach(self, frame: int) -> float:
        """Return how far the arm is in at ``frame``, in [0, 1]."""
        share = (frame - self.start) / max(1, self.stop - self.start)
        return float(np.clip(3 * min(share, 1 - share), 0, 1))


class Recording:
    """One recording of one mouse.

    Parameters
    ----------
    mouse : int
        0 to 9.
    day : int
        0 or 1.
    seed : int
        Of everything that is drawn. Both days of a mouse share arena and coat.
    """

    def __init__(self, mouse: int, day: int, *, seed: int = 0) -> None:
        scenes = large_scenes()
        if not (0 <= mouse < len(scenes) and 0 <= day < len(DAYS)):
            raise AlPoseError(
                f"Expected a mouse below {len(scenes)} and a day below {len(DAYS)}, got mouse {mouse}, day {day}.",
                "Ask for a recording that there is.",
            )
        self.scene: Scene = scenes[mouse]
        self.name = f"{self.scene.name}-{DAYS[day]}"
        self._look = np.random.SeedSequence([seed, mouse])
        rng = np.random.default_rng([seed, mouse, day, 1])
        self.n_frames = _MINUTES[mouse] * 60 * FPS
        self._arena: Arena = self.scene.arena(np.random.default_rng(self._look))
        self._motion: Motion = simulate(rng, self.n_frames, self._arena.region, self._arena.haunts, _repertoire(rng))
        self._happenings = tuple(_happenings(rng, self.n_frames, self._motion))
        self._bump = _bump(rng, self.n_frames) if mouse == _BUMPED else None
        self._drift = light_drift(rng, self.n_frames, self.scene.flicker)
        self._tiles = [sensor_noise(rng) for _ in range(_TILES)]

    def behaviours(self) -> list[str]:
        """Return what each frame shows, of `BEHAVIOURS`."""
        shown = [BOUTS[bout] for bout in self._motion.bout.tolist()]
        for happening in self._happenings:
            shown[happening.start : happening.stop] = [happening.what] * (happening.stop - happening.start)
        return shown

    def draw(self, numbers: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
        """Yield frames: uint8, (480, 640, 3); each is the same whichever others are drawn."""
        anatomy = self._anatomy(numbers)
        painter = MousePainter(anatomy, self.scene.coat, np.random.default_rng(self._look), size=self.scene.size)
        for row, number in enumerate(numbers):
            light = self._drift[number].copy()
            happening = self._happening(number, "dark")
            if happening is not None:
                light *= _DARKNESS
            canvas = lit(self._arena, [painter], row, light)
            hand = self._happening(number, "hand")
            if hand is not None:
                _paint_hand(canvas, hand, number)
            canvas = _moved(canvas, self._offset(number)) + self._tiles[number % _TILES]
            yield np.clip(canvas, 0, 255).astype(np.uint8)

    def truth(self, numbers: Sequence[int]) -> NDArray[np.float64]:
        """Return where the bodyparts of frames are: (n, K, 2), source pixels, NaN where they cannot be seen."""
        anatomy = self._anatomy(numbers)
        hidden = self._arena.hides(anatomy.keypoints) | under_body(anatomy)
        for row, number in enumerate(numbers):
            hand = self._happening(number, "hand")
            if hand is not None:
                hidden[row] |= _under_hand(anatomy.keypoints[row], hand, number)
        moved = anatomy.keypoints + np.array([self._offset(number) for number in numbers]).reshape(-1, 1, 2)
        outside = ((moved < 0) | (moved > (WIDTH - 1, HEIGHT - 1))).any(axis=-1)
        return np.where((hidden | outside)[..., None], np.nan, moved)

    def _anatomy(self, numbers: Sequence[int]) -> Anatomy:
        return build(self._motion.of(numbers), size=self.scene.size)

    def _happening(self, number: int, what: str) -> Happening | None:
        return next((h for h in self._happenings if h.what == what and h.start <= number < h.stop), None)

    def _offset(self, number: int) -> tuple[int, int]:
        """Return how far the picture is moved, px: since the camera was bumped."""
        if self._bump is None or number < self._bump[0]:
            return (0, 0)
        return self._bump[1]


def _repertoire(rng: np.random.Generator) -> Repertoire:
    """Return what one mouse does: it rests 80 to 95 % of the time."""
    lazy = float(rng.uniform(1, 3))
    return Repertoire(
        {"rest": 0.3, "pause": 0.2, "rear": 0.2, "groom": 0.15, "shelter": 0.1, "jump": 0.05},
        {
            "walk": (1.8, 4.0),
            "pause": (0.5, 1.3),
            "rear": (1.0, 2.5),
            "groom": (2.0, 8.0),
            "shelter": (3.0, 10.0),
            "jump": (0.4, 0.7),
            "rest": (25 * lazy, 120 * lazy),
        },
    )


def _happenings(rng: np.random.Generator, n_frames: int, motion: Motion) -> Iterator[Happening]:
    """Draw what happens: a hand every ten minutes or so, for 2 to 4 s, and at times some seconds without light."""
    for _ in range(max(1, round(n_frames / (600 * FPS)))):
        start = int(rng.integers(n_frames - 5 * FPS))
        near = motion.centre[start] + rng.normal(0, 40, 2)
        stop = start + int(FPS * rng.uniform(2, 4))
        yield Happening("hand", start, stop, (float(near[0]), float(near[1])), float(rng.uniform(120, WIDTH - 120)))
    if rng.random() < 0.6:
        start = int(rng.integers(n_frames - 20 * FPS))
        yield Happening("dark", start, start + int(FPS * rng.uniform(6, 18)))


def _bump(rng: np.random.Generator, n_frames: int) -> tuple[int, tuple[int, int]]:
    """Return from which frame on the picture is moved, and how far."""
    x, y = (int(v) for v in rng.choice((-1, 1), 2) * rng.integers(18, 45, 2))
    return int(n_frames * rng.uniform(0.4, 0.6)), (x, y)


def _arm(hand: Happening, number: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where the arm begins and where the fingers are, source pixels."""
    start, end = np.array([hand.side, -20.0]), np.array(hand.place)
    return start, start + hand.reach(number) * (end - start)


def _paint_hand(canvas: Floats, hand: Happening, number: int) -> None:
    start, end = _arm(hand, number)
    place = window(canvas.shape, np.stack([start, end]), margin=50)
    if place:
        distance = capsule_distance(place, start, end, (34.0, 24.0))
        shade = 0.75 + 0.25 * np.clip(-distance / 24, 0, 1)
        blend(canvas, place, _GLOVE * shade[..., None], coverage(distance, 2))


def _under_hand(points: NDArray[np.float64], hand: Happening, number: int) -> NDArray[np.bool_]:
    start, end = _arm(hand, number)
    along = end - start
    share = np.clip((points - start) @ along / max(float(along @ along), 1e-6), 0, 1)
    gap = np.linalg.norm(points - (start + share[:, None] * along), axis=1)
    return np.asarray(gap < 34 - 10 * share, np.bool_)


def _moved(canvas: Floats, offset: tuple[int, int]) -> Floats:
    """Return a picture that is moved; its edge is drawn out."""
    x, y = offset
    if not (x or y):
        return canvas
    rows = np.clip(np.arange(HEIGHT) - y, 0, HEIGHT - 1)
    columns = np.clip(np.arange(WIDTH) - x, 0, WIDTH - 1)
    return np.asarray(canvas[rows][:, columns])

"""From a scene to an h264 file: light that drifts, sensor noise, and an encoder that always writes the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from napari_al_pose.samples.anatomy import BODYPARTS, Anatomy, build
from napari_al_pose.samples.arena import HEIGHT, WIDTH, Arena
from napari_al_pose.samples.motion import FPS, simulate
from napari_al_pose.samples.mouse import Coat, MousePainter
from napari_al_pose.samples.raster import Floats, smooth_noise

GROUP_OF_PICTURES = 60
_NOISE_TILES = 8


@dataclass(frozen=True, slots=True)
class Scene:
    """What one video shows.

    Parameters
    ----------
    name : str
        The video's name in the project.
    arena : callable
        Builds the arena from a random generator.
    coat : Coat
    size : float
        Scale of the animal.
    flicker : float
        How far the light drifts, relative.
    """

    name: str
    arena: Callable[[np.random.Generator], Arena]
    coat: Coat
    size: float = 1.0
    flicker: float = 0.07


class Footage:
    """Mice in one arena: its frames, and where their bodyparts are.

    Mice don't heed each other: where they meet, the later one climbs over the earlier.

    Parameters
    ----------
    scene : Scene
    n_frames : int
    rng : numpy.random.Generator
    n_mice : int, optional
        All with the scene's coat.
    """

    def __init__(self, scene: Scene, n_frames: int, rng: np.random.Generator, *, n_mice: int = 1) -> None:
        self.scene = scene
        self.n_frames = n_frames
        self._rng = rng
        self._arena = scene.arena(rng)
        self._mice: list[tuple[Anatomy, MousePainter]] = []
        for _ in range(n_mice):
            motion = simulate(rng, n_frames, self._arena.region, self._arena.haunts)
            anatomy = build(motion, size=scene.size)
            self._mice.append((anatomy, MousePainter(anatomy, scene.coat, rng, size=scene.size)))

    def truth(self) -> NDArray[np.float64]:
        """Return where the only mouse's bodyparts are: (N, K, 2), source pixels, NaN where they cannot be seen."""
        return self.truths()[:, 0]

    def truths(self) -> NDArray[np.float64]:
        """Return where the bodyparts of all mice are: (N, mice, K, 2), source pixels, NaN where they cannot be seen."""
        truths = []
        for i, (anatomy, _) in enumerate(self._mice):
            hidden = self._arena.hides(anatomy.keypoints) | under_body(anatomy)
            for other, _ in self._mice[i + 1 :]:
                hidden |= _is_under(anatomy.keypoints, other)
            truths.append(np.where(hidden[..., None], np.nan, anatomy.keypoints))
        return np.stack(truths, axis=1)

    def frames(self, numbers: Iterable[int] | None = None) -> Iterator[NDArray[np.uint8]]:
        """Yield the frames of ``numbers``, by default all in order: uint8, (H, W, 3).

        What a frame shows depends on its number alone; call this once, since it goes on drawing from the generator.
        """
        drift = light_drift(self._rng, self.n_frames, self.scene.flicker)
        tiles = [sensor_noise(self._rng) for _ in range(_NOISE_TILES)]
        noise = [tiles[int(self._rng.integers(_NOISE_TILES))] for _ in range(self.n_frames)]
        painters = [painter for _, painter in self._mice]
        for frame in range(self.n_frames) if numbers is None else numbers:
            canvas = lit(self._arena, painters, frame, drift[frame])
            canvas += noise[frame]
            yield np.clip(canvas, 0, 255).astype(np.uint8)


def lit(arena: Arena, painters: Sequence[MousePainter], frame: int, light: Floats) -> Floats:
    """Return what a frame shows but for the camera's noise, float32 (H, W, 3), 0 to 255.

    ``light`` is the light's level and its slope along x and y, as `light_drift` returns it.
    """
    level, tilt_x, tilt_y = light
    across, down = np.linspace(-1, 1, WIDTH, dtype=np.float32), np.linspace(-1, 1, HEIGHT, dtype=np.float32)
    canvas: Floats = arena.floor.copy()
    for painter in painters:
        painter.paint(canvas, frame)
    canvas *= arena.light
    canvas += arena.shelter
    canvas *= (level + (tilt_y * down)[:, None] + tilt_x * across)[..., None]
    return canvas


def encode(path: Path, frames: Iterator[NDArray[np.uint8]], *, after_each: Callable[[], None]) -> None:
    """Write ``frames`` to an mp4 file, with a keyframe every `GROUP_OF_PICTURES` frames.

    One encoder thread, fixed settings and no time stamps or library versions in the container, so that the same
    frames give the same bytes.
    """
    options = {"crf": "21", "preset": "veryfast", "x264-params": "threads=1:scenecut=0:bframes=2", "flags": "+bitexact"}
    with av.open(str(path), "w", options={"fflags": "+bitexact", "movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.thread_count = 1
        stream.gop_size = GROUP_OF_PICTURES
        for image in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            after_each()
        container.mux(stream.encode(None))


def under_body(anatomy: Anatomy) -> NDArray[np.bool_]:
    """Return which bodyparts the trunk lies on, (N, K): only the tail can curl up beside and under it."""
    hidden = np.zeros(anatomy.keypoints.shape[:2], bool)
    for bodypart in ("tailmid", "tailtip"):
        point = anatomy.keypoints[:, BODYPARTS.index(bodypart), None]
        depth = anatomy.radius - np.linalg.norm(anatomy.spine - point, axis=-1)
        hidden[:, BODYPARTS.index(bodypart)] = depth.max(axis=1) > 1
    return hidden


def _is_under(points: NDArray[np.float64], other: Anatomy) -> NDArray[np.bool_]:
    """Return whether another mouse's body covers points, (N, K)."""
    gaps = np.linalg.norm(points[:, :, None] - other.spine[:, None], axis=-1)
    return np.asarray((gaps < other.radius[:, None]).any(axis=2), np.bool_)


def light_drift(rng: np.random.Generator, n_frames: int, reach: float) -> Floats:
    """Return the light's level and its slope along x and y for every frame, (N, 3); they wander slowly."""
    second = np.arange(n_frames) / FPS
    periods = rng.uniform(6, 19, (3, 3))
    phases = rng.uniform(0, 2 * np.pi, (3, 3))
    waves = np.sin(2 * np.pi * second[:, None, None] / periods + phases).mean(axis=-1)
    drift = reach * waves * np.array([1.0, 0.6, 0.6])
    drift[:, 0] += 1 + 0.006 * rng.standard_normal(n_frames)
    return drift.astype(np.float32)


def sensor_noise(rng: np.random.Generator) -> Floats:
    grain = 1.5 * rng.standard_normal((HEIGHT, WIDTH, 1)) + 0.7 * rng.standard_normal((HEIGHT, WIDTH, 3))
    return (grain + 0.4 * smooth_noise(rng, (HEIGHT, WIDTH), (4, 4))[..., None]).astype(np.float32)

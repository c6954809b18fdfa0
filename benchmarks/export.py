"""Whole videos: frames a second with decoding, memory, and whether a killed run ends as an uninterrupted one."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # has no types of its own

from benchmarks.clips import stream_copy_loop, write_texture
from benchmarks.report import Figure
from napari_al_pose.project import Project, create_project, open_project

logger = logging.getLogger(__name__)

SIZE = (640, 480)
N_LONG, N_SHORT, N_SPEED = 25_000, 2_500, 1_500
LONG_SIDE, SMALL_SIDE = 320, 64
"""What the default network sees of a 640x480 video, and what is enough where it is not about the network."""
KILL_AT = 0.4
PATIENCE_SECONDS = 1800.0
"""For one run; the longest takes some minutes."""

BODYPARTS = ("snout", "leftear", "rightear", "tailbase")


def figures(data: Path | None) -> Iterator[Figure]:
    """Measure on DeepLabCut's openfield video where ``data`` has it, else on a moving texture."""
    with tempfile.TemporaryDirectory(prefix="al-pose-export-") as name:
        folder = Path(name)
        clip = _clip(data, folder)
        setting = {"clip": clip.stem, "size": f"{SIZE[0]}x{SIZE[1]}", "cores": os.cpu_count(), "threads": _threads()}
        yield _speed(clip, folder, setting)
        yield from _resumed(clip, folder, setting)


def _speed(clip: Path, folder: Path, setting: dict) -> Figure:
    video = stream_copy_loop(clip, folder / "speed.mp4", N_SPEED)
    run = _run(_project(folder / "speed", LONG_SIDE), video)
    setting = {**setting, "n_frames": N_SPEED, "long_side": LONG_SIDE, "seconds": run.seconds}
    return Figure("pose.inference_fps", run.frames_per_second, "frames/s, decoding included", ">= 60", setting=setting)


def _resumed(clip: Path, folder: Path, setting: dict) -> Iterator[Figure]:
    setting = {**setting, "long_side": SMALL_SIDE}
    short = _run(_project(folder / "short", SMALL_SIDE), stream_copy_loop(clip, folder / "short.mp4", N_SHORT))
    video = stream_copy_loop(clip, folder / "long.mp4", N_LONG)
    whole = _run(_project(folder / "whole", SMALL_SIDE), video)
    yield Figure(
        "export.memory_growth",
        whole.growth_mb,
        "MB from a tenth of the video to the end of predicting",
        "<= 50",
        setting={**setting, "n_frames": N_LONG, "peak_mb": whole.peak_mb},
    )
    yield Figure(
        "export.memory_of_length",
        whole.peak_mb - short.peak_mb,
        f"MB more than a video of {N_SHORT} frames takes at most, writing included",
        "<= 50",
        setting={**setting, "n_frames": N_LONG, "peak_mb": whole.peak_mb, "peak_of_short_mb": short.peak_mb},
    )
    config = _project(folder / "killed", SMALL_SIDE)
    killed_at = _run(config, video, kill_at=KILL_AT).share
    resumed = _run(config, video)
    same = whole.content == resumed.content
    setting |= {
        "n_frames": N_LONG,
        "killed_at": killed_at,
        "seconds_whole": whole.seconds,
        "seconds_after": resumed.seconds,
    }
    yield Figure("export.resumed_is_identical", float(same), "1 if every byte is the same", "== 1", setting=setting)


@dataclass(frozen=True, slots=True)
class _Run:
    """What was seen of one command."""

    seconds: float
    frames_per_second: float
    growth_mb: float
    peak_mb: float
    share: float
    content: tuple[bytes, ...]


def _run(config: Path, video: Path, *, kill_at: float = 2.0) -> _Run:
    """Run ``napari-al-pose predict`` and watch its memory and what it has finished."""
    output = config.parent / "out"
    output.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "napari_al_pose", "predict", str(config), str(video), "--output", str(output)]
    began = time.monotonic()
    seen: list[tuple[float, int, float]] = []
    with open_project(config, read_only=True) as project, tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said)
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            header = _header(project, video)
            done, total = (header.n_done, header.n_frames) if header else (0, 1)
            try:
                seen.append((time.monotonic(), done, watched.memory_info().rss / 2**20))
            except psutil.NoSuchProcess:
                break
            if done / total >= kill_at or time.monotonic() - began > PATIENCE_SECONDS:
                process.send_signal(signal.SIGKILL)
            time.sleep(0.1)
        code = process.wait()
        if code and kill_at > 1:
            said.seek(0)
            raise RuntimeError(f"predict ended with code {code}: {said.read()[-500:].decode(errors='replace')}")
        header = _header(project, video)
        run = project.video_predictions.find(1, video.stem)
        files = sorted(output.glob("*.csv"))
        content = (run.path.read_bytes(), *(file.read_bytes() for file in files)) if run else ()
    moving = [(at, done) for at, done, _ in seen if done]
    memory = [used for _, done, used in seen if header and header.n_frames / 10 <= done < header.n_frames] or [0.0]
    (start, first), (end, last) = moving[0], next(item for item in moving if item[1] == moving[-1][1])
    return _Run(
        seconds=time.monotonic() - began,
        frames_per_second=(last - first) / max(end - start, 1e-9),
        growth_mb=max(memory) - memory[0],
        peak_mb=max(used for *_, used in seen),
        share=moving[-1][1] / (header.n_frames if header else 1),
        content=content,
    )


def _header(project: Project, video: Path):
    run = project.video_predictions.find(1, video.stem)
    return run.header if run else None


def _project(folder: Path, long_side: int) -> Path:
    """Make a project with an untrained default network: speed and memory do not depend on what it learnt."""
    import torch

    from napari_al_pose.domain.settings import TrainSettings
    from napari_al_pose.pose import PoseModel
    from napari_al_pose.pose.network import PoseNetwork

    folder.mkdir()
    clip = write_texture(folder / "tiny.mp4", n_frames=12, size=(64, 48), gop=6)
    config = create_project(folder, task="export", scorer="bench", bodyparts=BODYPARTS, skeleton=(), videos=[clip])
    torch.manual_seed(0)
    settings = TrainSettings()
    network = PoseNetwork(settings.backbone, len(BODYPARTS), pretrained=True).eval()
    model = PoseModel(network, bodyparts=BODYPARTS, settings=settings, long_side=long_side)
    with open_project(config) as project, project.models.new_folder() as version:
        model.save(version / "model.pt")
    return config


def _clip(data: Path | None, folder: Path) -> Path:
    real = data and data / "openfield-Pranav-2018-10-30" / "videos" / "m3v1mp4.mp4"
    if real and real.is_file():
        return Path(shutil.copy(real, folder / "openfield.mp4"))
    return write_texture(folder / "texture.mp4", n_frames=500, size=SIZE, gop=250)


def _threads() -> int:
    import torch

    return torch.get_num_threads()

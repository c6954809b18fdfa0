"""Makes the documentation's pictures small: python scripts/pictures.py FOLDER docs/pictures

``FOLDER`` is what ``scripts/pictures.sh`` filled: a folder for each size, with the pictures of a play and what the jobs
took.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from PIL import Image

QUALITY = 62
FILM_WIDTH, FILM_QUALITY, FILM_MS, FILM_SHOTS = 720, 40, 900, 16
FILM_SIZE = "1600x1000"


def shrink(picture: Path, folder: Path) -> None:
    """Write a picture as WebP, which keeps text sharp in a tenth of a PNG's bytes."""
    with Image.open(picture) as image:
        image.convert("RGB").save(folder / f"{picture.stem.partition('-')[2]}.webp", quality=QUALITY, method=6)


def film(shots: list[Path], path: Path) -> None:
    """Write a moving picture of some shots of a play, evenly drawn."""
    frames = []
    for shot in shots[:: -(-len(shots) // FILM_SHOTS)]:
        with Image.open(shot) as image:
            height = round(image.height * FILM_WIDTH / image.width)
            frames.append(image.convert("RGB").resize((FILM_WIDTH, height), Image.Resampling.LANCZOS))
    frames[0].save(
        path, save_all=True, append_images=frames[1:], duration=FILM_MS, loop=0, quality=FILM_QUALITY, method=2
    )


def jobs_table(played: list[Path]) -> str:
    """Return what each job took, as a table with a column for each size of the window."""
    jobs: dict[str, dict[str, str]] = {}
    screens: list[str] = []
    for path in played:
        for line in path.read_text(encoding="utf-8").splitlines():
            said = json.loads(line)
            if "job" in said:
                screens += [said["screen"]] if said["screen"] not in screens else []
                frames = f" ({said['frames']} frames)" if "frames" in said else ""
                actions = f"{said['actions']} action{'' if said['actions'] == 1 else 's'}"
                took = f"{actions}, {said['seconds']:g} s{frames}"
                jobs.setdefault(said["job"], {})[said["screen"]] = took
    rows = [
        "| " + " | ".join(["job", *screens]) + " |",
        "|---" * (len(screens) + 1) + "|",
        *(f"| {job} | " + " | ".join(took.get(screen, "") for screen in screens) + " |" for job, took in jobs.items()),
    ]
    return "\n".join(rows) + "\n"


def main(work: Path, output: Path) -> None:
    """Replace the pictures, the film and the table of jobs in ``output``."""
    for played in sorted(each for each in work.iterdir() if each.is_dir()):
        shots = sorted(played.glob("film-*.png"))
        pictures = sorted(set(played.glob("[0-9]*.png")) - set(shots))
        if not pictures:
            continue
        folder = output / played.name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for picture in pictures:
            shrink(picture, folder)
        if played.name == FILM_SIZE and shots:
            film(shots, output / "demo.webp")
    (output / "jobs.md").write_text(jobs_table(sorted(work.glob("jobs-*.jsonl"), reverse=True)), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

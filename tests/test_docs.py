"""The documentation: its links lead somewhere, its commands are commands, its Python runs, its keys are bound."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from urllib.parse import unquote

import pytest

from napari_al_pose.cli import verb_parser
from napari_al_pose.domain import FrameKey
from napari_al_pose.domain.settings import LoopSettings, TrainSettings
from napari_al_pose.gui.key_table import HELP, KEYS, spoken
from napari_al_pose.project import open_project
from napari_al_pose.samples import ground_truth

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
PAGES = [page for page in PAGES if "_build" not in page.parts]
PICTURES = ROOT / "docs" / "pictures"
SOURCE = ROOT / "src" / "napari_al_pose"
QUICK = LoopSettings(pool_size=30, train=TrainSettings(steps=4, long_side=128, batch_size=2))
BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def commands() -> list[str]:
    found = []
    for page in PAGES:
        for _, block in BLOCK.findall(page.read_text(encoding="utf-8")):
            found += [line.strip() for line in block.splitlines() if line.strip().startswith("napari-al-pose ")]
    return sorted(set(found))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_within_the_project_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    local = [target for target in targets if not re.match(r"[a-z]+:|#", target)]
    missing = [target for target in local if not (page.parent / unquote(target.partition("#")[0])).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_pictures_are_there(page):
    shown = re.findall(r"^```\{image\} (\S+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert not [path for path in shown if not (page.parent / path).exists()]


def test_the_pictures_are_of_both_sizes_and_small():
    sizes = {size: {path.name for path in (PICTURES / size).iterdir()} for size in ("1600x1000", "1366x768")}
    assert len(sizes["1600x1000"]) >= 19
    assert sizes["1600x1000"] == sizes["1366x768"]
    assert sum(path.stat().st_size for path in PICTURES.rglob("*") if path.is_file()) < 5_000_000
    assert (PICTURES / "demo.webp").stat().st_size < 2_000_000


def modules() -> dict[str, Path]:
    """Return the file of each module, by its name without the package's."""
    files = {path.relative_to(SOURCE).with_suffix(""): path for path in SOURCE.rglob("*.py")}
    return {".".join(name.parts).removesuffix(".__init__"): path for name, path in files.items()}


def dotted_names() -> list[str]:
    """Return what the pages name as modules, or as a part of one: `domain.tools`, `engine.jobs.JOBS`."""
    rooms = {name.partition(".")[0] for name in modules()}
    texts = [re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL) for page in PAGES]
    found = {name for text in texts for name in re.findall(r"`(\w+(?:\.\w+)+)`", text)}
    return sorted(name for name in found if name.partition(".")[0] in rooms and not name.endswith(".py"))


def test_modules_are_named():
    assert len(dotted_names()) > 100


@pytest.mark.parametrize("name", dotted_names())
def test_what_the_pages_name_is_in_the_code(name):
    files, parts = modules(), name.split(".")
    depth = max(n for n in range(1, len(parts) + 1) if ".".join(parts[:n]) in files)
    rest = parts[depth:]
    if rest:
        text = files[".".join(parts[:depth])].read_text(encoding="utf-8")
        assert re.search(rf"^(?:class |def )?{rest[0]}\b|^    {rest[0]},|import .*\b{rest[0]}\b", text, re.MULTILINE)


def paths_of_code() -> list[str]:
    """Return the paths of modules, folders and scripts that the pages name: `pose/window.py`, `gui/state`."""
    roots = {path.name for place in (ROOT, SOURCE) for path in place.iterdir() if path.is_dir()}
    texts = [re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL) for page in PAGES]
    found = {name for text in texts for name in re.findall(r"`(\w+/[\w/.]*)`", text)}
    return sorted(name for name in found if name.partition("/")[0] in roots and "_build" not in name)


@pytest.mark.parametrize("path", paths_of_code())
def test_the_files_of_code_that_the_pages_name_are_there(path):
    assert (ROOT / path).exists() or (SOURCE / path).exists()


@pytest.mark.parametrize("command", commands())
def test_commands_are_commands(command):
    words = [word for word in shlex.split(command, comments=True) if word not in ("...", "[VIDEO")]
    arguments = [word.strip("[]") for word in words[1:]]
    parser = verb_parser()
    verbs = next(action.choices for action in parser._actions if isinstance(action.choices, dict))
    if arguments[0] not in verbs:
        assert len(arguments) == 1, "the window takes a project and no more"
        return
    parser.parse_args(arguments)  # exits, and so fails, where the command line would refuse


def test_the_keys_of_the_page_on_the_window_are_bound():
    page = (ROOT / "docs" / "window.md").read_text(encoding="utf-8")
    named = [
        key
        for row in re.findall(r"^\| (`.*?) \|", page, re.MULTILINE)
        for key in re.findall(r"`([^`]+)`", row)
        if key not in ("Alt", "Shift")  # held beside another
    ]
    bound = {HELP, *(spoken(key) for each in KEYS for key in each.keys)}
    assert len(named) > 30
    assert not set(named) - bound


@pytest.mark.slow
def test_the_python_of_the_how_to_runs(tmp_path, monkeypatch, sample_copy, capsys):
    """Each block in turn, on the sample with ten labels of its truth and with a training that is made short."""
    monkeypatch.chdir(tmp_path)
    label_ten_frames(sample_copy)
    sample_copy.parent.rename(tmp_path / "my-project")
    video = next((tmp_path / "my-project" / "videos").iterdir())
    (tmp_path / "mouse.mp4").write_bytes(video.read_bytes())
    script = (ROOT / "docs" / "howto" / "script.md").read_text(encoding="utf-8")
    for language, block in BLOCK.findall(script):
        assert language == "python"
        exec(compile(block.replace("1234", "12"), "script.md", "exec"), {})  # the sample's videos are short
    printed = capsys.readouterr().out
    assert printed.startswith("1 ")
    assert len(re.findall(r"^frame \d+ of ", printed, re.M)) == 10


def label_ten_frames(config: Path) -> None:
    with open_project(config) as project:
        project.save_settings(QUICK)
        video = project.videos[0].name
        xy, visible = ground_truth(config.parent)[video]
        for frame in range(0, 100, 10):
            key = FrameKey(video, frame)
            for i, bodypart in enumerate(project.skeleton.bodyparts):
                if visible[frame, i]:
                    project.labels.place(key, bodypart, *map(float, xy[frame, i]))
                else:
                    project.labels.mark_not_visible(key, bodypart)

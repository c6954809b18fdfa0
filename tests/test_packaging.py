"""What an installation looks like to napari, and the rules that keep the rooms apart."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from npe2 import PluginManager, PluginManifest

from napari_al_pose.formats.names import VIDEO_SUFFIXES

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "napari_al_pose"
MODULE_LINES, FUNCTION_LINES = 450, 60


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=240,
        cwd=ROOT,
        env=os.environ | {"QT_QPA_PLATFORM": "offscreen"} | environment,
        check=False,
    )


@pytest.fixture(scope="module")
def manifest() -> PluginManifest:
    return PluginManifest.from_distribution("napari-al-pose")


# ---- the manifest ---------------------------------------------------------------------------------


def test_the_manifest_at_the_root_is_the_packages():
    if not (ROOT / ".git").exists() and not (ROOT / "napari.yaml").exists():
        pytest.skip("a source archive has no manifest at its root")
    # A checkout that turned the link into a text file holds the link's target instead.
    assert (ROOT / "napari.yaml").read_text() == (PACKAGE / "napari.yaml").read_text()


def test_napari_finds_a_valid_manifest_in_the_installation(manifest):
    assert manifest.name == "napari-al-pose"
    manifest.validate_imports()
    contributions = manifest.contributions
    assert [widget.display_name for widget in contributions.widgets] == ["Active-learning pose labeller"]
    assert [sample.key for sample in contributions.sample_data] == ["synthetic-mouse"]
    assert all(command.id.startswith("napari-al-pose.") for command in contributions.commands)


def test_discovery_does_not_import_the_package():
    result = run_python(
        "import sys; from npe2 import PluginManifest; PluginManifest.from_distribution('napari-al-pose'); "
        "print([name for name in sys.modules if name.startswith('napari_al_pose')])"
    )
    assert result.stdout.strip() == "[]", result.stderr


def test_it_contributes_nothing_that_napari_ignores(manifest):
    """Key bindings do nothing in napari 0.9, and menus only at ids it lets plug-ins add to."""
    assert not manifest.contributions.keybindings
    assert not manifest.contributions.menus


@pytest.mark.parametrize(
    ("path", "command"),
    [
        ("/p/config.yaml", "read_project"),
        ("/p/labeled-data/v/CollectedData_Me.h5", "read_labels"),
        ("/p/labeled-data/v/CollectedData_Me.csv", "read_labels"),
        *((f"/p/videos/v{suffix}", "read_video") for suffix in VIDEO_SUFFIXES),
        ("/p/videos/V.MP4", "read_video"),
        ("/p/image.png", None),
        ("/p/table.csv", None),
        ("/p/volume.h5", None),
    ],
)
def test_readers_ask_only_for_their_own_files(manifest, path, command):
    manager = PluginManager()
    manager.register(manifest)
    found = [reader.command for reader in manager.iter_compatible_readers([path])]
    assert found == ([f"napari-al-pose.{command}"] if command else [])


# ---- the wheel ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_wheel_carries_the_manifest_and_the_data(tmp_path):
    pytest.importorskip("hatchling", reason="building a wheel without the network needs hatchling installed")
    build = subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--no-deps",
            "--no-build-isolation",
            "-q",
            "-w",
            str(tmp_path),
            str(ROOT),
        ],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert build.returncode == 0, build.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        archive.extractall(tmp_path / "installed")
    wanted = {path.relative_to(ROOT / "src").as_posix() for path in PACKAGE.rglob("*") if path.is_file()}
    assert {name for name in wanted if "__pycache__" not in name} <= names
    assert not any(name.startswith(("tests/", "napari.yaml")) for name in names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    found = run_python(
        "import napari_al_pose; from npe2 import PluginManifest; "
        "manifest = PluginManifest.from_distribution('napari-al-pose'); manifest.validate_imports(); "
        "print(napari_al_pose.__file__)",
        PYTHONPATH=str(tmp_path / "installed"),
    )
    assert str(tmp_path) in found.stdout, found.stderr


# ---- the rooms ------------------------------------------------------------------------------------


def test_import_contracts_hold():
    pytest.importorskip("importlinter")
    result = run_python(
        "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))",
        PYTHONUTF8="1",
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_no_module_of_the_window_imports_torch():
    result = run_python(
        "import importlib, pkgutil, sys, napari_al_pose.gui as gui\n"
        "names = [module.name for module in pkgutil.walk_packages(gui.__path__, gui.__name__ + '.')]\n"
        "[importlib.import_module(name) for name in names]\n"
        "print(len(names), sorted({'torch', 'torchvision', 'triton', 'napari_al_pose.pose'} & set(sys.modules)))"
    )
    assert result.returncode == 0, result.stderr
    count, found = result.stdout.strip().splitlines()[-1].split(" ", 1)
    assert int(count) > 10
    assert found == "[]"


def test_an_engine_starts_without_what_only_trainings_and_files_need():
    code = "import napari_al_pose.engine.child, sys; print([m for m in SLOW if m in sys.modules])"
    found = run_python(code.replace("SLOW", "('torchvision', 'scipy', 'sklearn', 'pandas', 'timm')"))
    assert found.stdout.strip() == "[]", found.stdout + found.stderr


@pytest.mark.parametrize(
    "first",
    [
        "cli, napari_al_pose.engine.loop",
        "engine.child, napari_al_pose.engine.loop",
        "simulation.learner",
        "pose.training",
    ],
)
def test_threads_are_told_to_sleep_before_torch_is_loaded(first):
    """OpenMP reads this when torch loads it, and a training beside another takes twenty times as long without it."""
    result = run_python(
        "import importlib.abc, os, sys\n"
        "class Watch(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'torch': print(os.environ.get('OMP_WAIT_POLICY'), os.environ.get('GOMP_SPINCOUNT'))\n"
        "sys.meta_path.insert(0, Watch())\n"
        "os.environ.pop('OMP_WAIT_POLICY', ''), os.environ.pop('GOMP_SPINCOUNT', '')\n"
        f"import napari_al_pose.{first}\n"
    )
    assert result.stdout.strip() == "PASSIVE 1000", result.stderr


def test_the_shared_words_and_the_samples_import_neither_qt_nor_napari_nor_torch():
    result = run_python(
        "import sys, napari_al_pose.domain, napari_al_pose.samples, napari_al_pose.readers\n"
        "print(sorted({'qtpy', 'napari', 'torch', 'pandas', 'sklearn'} & set(sys.modules)))"
    )
    assert result.stdout.strip() == "[]", result.stderr


# ---- size -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_modules_and_functions_stay_short(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MODULE_LINES
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert {node.name for node in functions if _code_lines(node) > FUNCTION_LINES} == set()


def _code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return how many lines a function has without its docstring."""
    assert function.end_lineno is not None
    first = function.body[0]
    has_docstring = ast.get_docstring(function) is not None
    docstring = (first.end_lineno or first.lineno) - first.lineno + 1 if has_docstring else 0
    return function.end_lineno - function.lineno + 1 - docstring

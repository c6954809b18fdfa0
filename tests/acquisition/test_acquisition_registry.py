"""Strategies are found through entry points, and a broken one takes nobody down."""

from __future__ import annotations

import logging
from importlib.metadata import EntryPoint

import numpy as np
import pytest

from napari_al_pose.acquisition import Requires, ScoreContext, Strategy, installed_strategies, registry
from napari_al_pose.acquisition.strategy import Explanation
from napari_al_pose.domain import FrameKey, Skeleton


class Newest:
    """A lab's own strategy: the last frames first."""

    name = "newest"
    title = "Newest"
    summary = "The last frames of the video"
    requires = Requires.NONE

    def score(self, context):
        return np.array([float(key.frame) for key in context.keys])

    def explain(self, context, index):
        return Explanation(sentence=f"frame {context.keys[index].frame}")


class Impostor(Newest):
    name = "mpe"


class Explodes:
    def __init__(self):
        raise RuntimeError("no licence")


class Wordless:
    name = "wordless"


@pytest.fixture
def installed(monkeypatch):
    """Pretend that packages with these strategies are installed beside ours."""

    def install(**classes):
        points = list(entry_points(group=registry.ENTRY_POINT_GROUP))
        points += [EntryPoint(name, value, registry.ENTRY_POINT_GROUP) for name, value in classes.items()]
        monkeypatch.setattr(registry, "entry_points", lambda group: points)
        installed_strategies.cache_clear()

    entry_points = registry.entry_points
    yield install
    installed_strategies.cache_clear()


def here(cls):
    return f"{__name__}:{cls.__name__}"


def test_ours_are_there_and_complete():
    found = installed_strategies()
    assert {"mpe", "influence"} <= set(found)
    assert list(found) == sorted(found)
    for name, strategy in found.items():
        assert isinstance(strategy, Strategy)
        assert strategy.name == name
        assert strategy.title
        assert strategy.summary
        assert not strategy.summary.endswith(".")
    assert installed_strategies() is found


def test_a_lab_can_add_its_own(installed):
    installed(newest=here(Newest))
    keys = [FrameKey("v", 3), FrameKey("v", 8)]
    context = ScoreContext(keys=keys, skeleton=Skeleton(("nose",)))
    assert installed_strategies()["newest"].score(context).tolist() == [3.0, 8.0]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("no_such_package:Thing", "cannot be loaded"),
        (here(Explodes), "no licence"),
        (here(Wordless), "lacks title, summary, requires, score, explain"),
        (here(Impostor), "the name 'mpe' is taken"),
    ],
)
def test_a_broken_plugin_is_left_out_and_logged(installed, caplog, value, why):
    installed(broken=value)
    with caplog.at_level(logging.ERROR):
        found = installed_strategies()
    assert {"mpe", "influence"} <= set(found)
    assert "wordless" not in found
    assert type(found["mpe"]).__name__ == "MultiplePeakEntropy"
    assert value in caplog.text
    assert why in caplog.text


def test_a_context_checks_its_shapes():
    keys = [FrameKey("v", 0), FrameKey("v", 1)]
    skeleton = Skeleton(("nose", "tail"))
    full = ScoreContext(
        keys=keys,
        skeleton=skeleton,
        features=np.zeros((2, 3)),
        xy=np.zeros((2, 2, 2)),
        likelihood=np.zeros((2, 2)),
        scoremaps=np.zeros((2, 2, 4, 4)),
        labelled_xy=np.zeros((1, 2, 2)),
    )
    assert full.available == Requires.PREDICTIONS | Requires.SCOREMAPS | Requires.FEATURES | Requires.LABELS
    for bad in (
        {"features": np.zeros((3, 3))},
        {"xy": np.zeros((2, 3, 2))},
        {"likelihood": np.zeros((1, 2))},
        {"scoremaps": np.zeros((2, 3, 4, 4))},
        {"labelled_xy": np.zeros((5, 3, 2))},
    ):
        with pytest.raises(ValueError, match="got shape"):
            ScoreContext(keys=keys, skeleton=skeleton, **bad)

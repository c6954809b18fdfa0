"""Every format of labels there and back: what is lost is what the messages say, and nothing else changes."""

from __future__ import annotations

import dataclasses
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from label_sets import assert_same, label_sets, placed

from napari_al_pose.domain import AlPoseError, FrameRole, KeypointState
from napari_al_pose.formats import coco, deeplabcut_labels, lightning_pose, lsp, mpii, sleap
from napari_al_pose.formats.capabilities import Capabilities, fit_to_format
from napari_al_pose.formats.deeplabcut import write_annotations

PEOPLE = ("right knee", "left knee", "head top", "tail")
QUICK = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def fitted(labels, holds):
    """Return what is left of labels in a format, and the messages; give the case up if nothing is."""
    try:
        return fit_to_format(labels, holds)
    except AlPoseError:
        assume(False)


def there_and_back(labels, write, read, path: Path):
    if path.parent.exists():
        shutil.rmtree(path.parent)
    path.parent.mkdir()
    write(labels, path)
    return read(path)


@QUICK
@given(labels=label_sets())
def test_sleap(labels, tmp_path):
    kept, _ = fitted(labels, sleap.CAPABILITIES)
    found = there_and_back(kept, sleap.write_sleap, sleap.read_sleap, tmp_path / "x" / "a.slp")
    assert found.skeleton.bodyparts == kept.skeleton.bodyparts
    assert set(found.skeleton.links) == set(kept.skeleton.links)
    if len({a.individual for a in kept.annotations}) > 1:
        assert_same(found, kept)
    else:  # a single track is the only animal
        assert sorted(placed(found).values()) == sorted(placed(kept).values())


@QUICK
@given(labels=label_sets(folder="images"))
def test_coco(labels, tmp_path):
    kept, _ = fitted(labels, coco.CAPABILITIES)
    found = there_and_back(kept, coco.write_coco, coco.read_coco, tmp_path / "x" / "a.json")
    assert found.skeleton.bodyparts == kept.skeleton.bodyparts
    assert found.skeleton.links == kept.skeleton.links
    assert_same(found, kept)


@QUICK
@given(labels=label_sets())
def test_lightning_pose(labels, tmp_path):
    kept, _ = fitted(labels, lightning_pose.CAPABILITIES)
    read = lightning_pose.read_lightning_pose
    found = there_and_back(kept, lightning_pose.write_lightning_pose, read, tmp_path / "x" / "a.csv")
    assert found.skeleton.bodyparts == kept.skeleton.bodyparts
    assert found.scorer == "Ada"
    assert_same(found, kept)


@QUICK
@given(labels=label_sets(bodyparts=PEOPLE, folder="images"))
def test_mpii(labels, tmp_path):
    kept, _ = fitted(labels, mpii.CAPABILITIES)
    for of_frame in kept.frames().values():  # entries that are equal count once, and the reader says so
        assume(len({np.nan_to_num(animal.xy, nan=-1).tobytes() for animal in of_frame}) == len(of_frame))
    found = there_and_back(kept, mpii.write_mpii, mpii.read_mpii, tmp_path / "x" / "a.json")
    assert found.skeleton.bodyparts == mpii.BODYPARTS
    assert_same(found, kept, tolerance=1e-9)


@QUICK
@given(labels=label_sets(bodyparts=PEOPLE))
def test_lsp(labels, tmp_path):
    kept, _ = fitted(labels, lsp.CAPABILITIES)
    found = there_and_back(kept, lsp.write_lsp, lsp.read_lsp, tmp_path / "x" / "joints.mat")
    assert found.skeleton.bodyparts == lsp.BODYPARTS
    ours = [annotation for of_frame in kept.frames().values() for annotation in of_frame]
    for a, b in zip(ours, found.annotations, strict=True):
        np.testing.assert_array_equal(a.states, b.states)
        np.testing.assert_allclose(a.xy, b.xy, rtol=0, atol=1e-9)
    assert {a.key.frame for a in found.annotations} == set(range(1, len(kept.annotations) + 1))


@QUICK
@given(labels=label_sets())
def test_deeplabcut(labels, tmp_path):
    kept, _ = fitted(labels, deeplabcut_labels.CAPABILITIES)
    shutil.rmtree(tmp_path / "x", ignore_errors=True)
    for video in {a.key.video for a in kept.annotations}:
        write_annotations(
            tmp_path / "x" / video,
            scorer="Ada",
            bodyparts=kept.skeleton.bodyparts,
            individuals=kept.skeleton.individuals,
            frames=frames_of(kept, video),
        )
        for suffix in ("h5", "csv"):
            found = deeplabcut_labels.read_collected_data(tmp_path / "x" / video / f"CollectedData_Ada.{suffix}")
            assert found.scorer == "Ada"
            assert found.skeleton.individuals == kept.skeleton.individuals
            of_video = tuple(a for a in kept.annotations if a.key.video == video)
            assert_same(found, dataclasses.replace(kept, annotations=of_video), tolerance=1e-9)


def frames_of(labels, video):
    skeleton, frames = labels.skeleton, {}
    for a in labels.annotations:
        if a.key.video == video:
            empty = np.full((len(skeleton.individuals), skeleton.n_bodyparts, 2), np.nan)
            frames.setdefault(f"img{a.key.frame:04d}.png", empty)[skeleton.individuals.index(a.individual)] = a.xy
    return frames


# ---- what the messages say ------------------------------------------------------------------------

EVERY = [
    sleap.CAPABILITIES,
    coco.CAPABILITIES,
    lightning_pose.CAPABILITIES,
    mpii.CAPABILITIES,
    lsp.CAPABILITIES,
    deeplabcut_labels.CAPABILITIES,
]


@settings(max_examples=60, deadline=None)
@given(labels=label_sets(bodyparts=PEOPLE), holds=st.sampled_from(EVERY))
def test_the_messages_count_what_is_lost(labels, holds):
    kept, lost = fitted(labels, holds)
    text = " ".join(lost)
    before, after = labels, kept
    if holds.bodyparts:
        outside = sum(key[3] == "tail" for key in placed(before))
        assert count_in(text, r"([\d,]+) points? of 'tail' left out") == outside
    if holds.individuals == "one":
        first = labels.skeleton.individuals[0]
        known = [name for name in PEOPLE if not holds.bodyparts or name != "tail"]
        others = sum(key[2] != first and key[3] in known for key in placed(before))
        told = re.findall(r"([\d,]+) points? of [^.;]* left out", text)
        assert sum(map(int, told)) - count_in(text, r"([\d,]+) points? of 'tail' left out") == others
        assert len(after.skeleton.individuals) == 1
    if not holds.unseen:
        assert all(a.is_complete for a in after.annotations)
    half = {a.key for a in labels.annotations if not a.is_complete}
    if not holds.unseen and not holds.bodyparts:
        assert count_in(text, r"([\d,]+) partly labelled frames?") == len(half)
    held_out = {a.key for a in labels.annotations if a.role is FrameRole.HOLDOUT} & {a.key for a in after.annotations}
    assert count_in(text, r"([\d,]+) test frames? (?:is|are) written") == len(held_out)
    # Everything that no message speaks of is there; formats with bodyparts of their own add those that we lack.
    if not lost and holds.bodyparts:
        assert placed(after) == placed(before)
    elif not lost:
        assert_same(after, before)


def count_in(text, pattern):
    match = re.search(pattern, text)
    return int(match[1].replace(",", "")) if match else 0


@settings(max_examples=3, deadline=None)
@given(labels=label_sets(bodyparts=("fin",), states=st.just(KeypointState.PLACED)))
def test_nothing_left_is_refused_by_name(labels):
    holds = Capabilities("A format", bodyparts=("wing",))
    with pytest.raises(AlPoseError, match=r"A format can hold nothing .*'fin' left out"):
        fit_to_format(labels, holds)

"""Stored tracks that were exchanged are mended, whatever order their colours were stored in."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_al_pose.domain import Annotation, FrameKey, KeypointState
from napari_al_pose.domain.steps import finish
from napari_al_pose.engine import tracks
from napari_al_pose.engine.track_exchanges import mend_exchanges, named_labels
from napari_al_pose.engine.tracks import predict_and_follow, track_run
from napari_al_pose.engine.whole_videos import PlannedVideo
from napari_al_pose.project import open_project
from napari_al_pose.project.video_predictions import RunHeader, VideoPredictions, look_rows, tracking_path
from napari_al_pose.tracking import Bones, Tracker

SHAPE = np.array([[0, 0], [10, 3], [20, 0]], float)
N, LAST_HALF = 700, 390


def stored(tmp_path, *, colour: float, looks: bool = True):
    """Return a run of two animals that meet every hundred frames, and whose tracks are exchanged in the second half."""
    rng = np.random.default_rng(0)
    gap = np.where(np.arange(N) % 100 < 85, 150.0, 5.0)
    xy = np.stack([np.broadcast_to(SHAPE, (N, 3, 2)), SHAPE + gap[:, None, None] * (0.0, 1.0)], axis=1)
    xy = (xy + rng.normal(0, 0.5, xy.shape)).astype(np.float32)
    colours = np.full((N, 2, 3, 3), 90.0, np.float32) + rng.normal(0, 3, (N, 2, 3, 3)).astype(np.float32)
    colours[:, 1] += colour
    tracked = xy.copy()
    tracked[LAST_HALF:] = xy[LAST_HALF:, ::-1]
    header = RunHeader(
        video="cam",
        identity="i",
        model_version=1,
        bodyparts=("a", "b", "c"),
        individuals=("ann", "bob"),
        segments=((0, N),),
    )
    run = VideoPredictions(tmp_path / "predictions").resume(header)

    def rows(poses):
        return np.concatenate([poses, np.full((*poses.shape[:-1], 1), 0.9, np.float32)], axis=-1).reshape(N, -1, 3)

    # First as they were found, in any order, with their colours; then as they were followed.
    order = rng.random(N) < 0.5
    as_found, of_found = xy.copy(), colours.copy()
    as_found[order], of_found[order] = xy[order, ::-1], colours[order, ::-1]
    parts = [rows(as_found), look_rows(as_found, of_found)] if looks else [rows(as_found)]
    run.write(0, np.concatenate(parts, axis=1))
    run.finish(0)
    run.write(0, rows(tracked))
    margins = np.full(N, 2.0, np.float32)
    margins[LAST_HALF] = 0.1
    with run.margins_path.open("wb") as file:
        np.save(file, margins)
    return run, xy


def poses_of(run):
    return run.stored_rows(0, N).reshape(N, 2, 3, 3)[..., :2]


def test_colours_belong_to_the_animals_they_were_stored_with(tmp_path):
    run, _ = stored(tmp_path, colour=60.0)
    seen = run.looks(0, N)[..., 0].mean(axis=2)
    assert (seen[:LAST_HALF, 1] > seen[:LAST_HALF, 0] + 30).all()
    assert (seen[LAST_HALF:, 0] > seen[LAST_HALF:, 1] + 30).all()


def test_tracks_are_swapped_where_they_were_exchanged_and_a_second_time_changes_nothing(tmp_path):
    run, xy = stored(tmp_path, colour=60.0)
    before = poses_of(run)
    mended = finish(mend_exchanges(run, {}))
    np.testing.assert_array_equal(poses_of(run), xy)
    told = np.zeros(N, bool)
    for first, stop in mended:
        told[first:stop] = True
    changed = (before != xy).any(axis=(1, 2, 3))
    assert changed.any()
    assert told[changed].all()
    assert finish(mend_exchanges(run, {})) == []
    np.testing.assert_array_equal(poses_of(run), xy)


def test_tracks_are_swapped_in_one_whole_write(tmp_path):
    """Whoever is ended on the way leaves the rows as they were: the file that lay there is not touched."""
    run, _ = stored(tmp_path, colour=60.0)
    content = run.path.read_bytes()
    with run.path.open("rb") as old:
        assert finish(mend_exchanges(run, {}))
        assert old.read() == content
    assert run.path.read_bytes() != content


def test_animals_that_look_alike_and_runs_of_older_versions_stay_as_they_are(tmp_path):
    for name, options in (("alike", {"colour": 0.0}), ("older", {"colour": 60.0, "looks": False})):
        run, _ = stored(tmp_path / name, **options)
        if name == "older":
            run.looks_path.unlink()
            assert np.isnan(run.looks(0, N)).all()
        before = poses_of(run)
        list(mend_exchanges(run, {}))
        np.testing.assert_array_equal(poses_of(run), before)


def test_labels_with_names_decide_and_name_the_tracks(tmp_path):
    run, xy = stored(tmp_path, colour=0.0)
    states = np.full(3, KeypointState.PLACED, np.int8)

    def labelled(frame):
        key = FrameKey("cam", frame)
        return [Annotation(key, xy[frame, i].astype(float), states, who) for i, who in enumerate(("ann", "bob"))]

    list(mend_exchanges(run, {frame: labelled(frame) for frame in (10, 320, 410, 650)}))
    np.testing.assert_array_equal(poses_of(run), xy)


def test_following_mends_once_and_notes_it(tmp_path):
    run, xy = stored(tmp_path, colour=60.0)
    list(track_run(run))
    assert json.loads(tracking_path(run.path).read_text())["mended"]
    same = poses_of(run)[..., 0] == xy[..., 0]
    assert same.all() or not same.any()  # every track is one animal, whichever came first
    tracking_path(run.path).write_text(json.dumps({**json.loads(tracking_path(run.path).read_text())}))
    before = poses_of(run)
    list(track_run(run))
    np.testing.assert_array_equal(poses_of(run), before)


def follow(project, video, run):
    """Follow a predicted video; return what is said of it."""
    nothing_to_predict = (part for part in ())
    return finish(predict_and_follow(project, [PlannedVideo(video, run)], nothing_to_predict, 0))


def write_project(root, identity):
    from PIL import Image

    folder = root / "labeled-data" / "cam"
    folder.mkdir(parents=True)
    Image.new("RGB", (64, 48)).save(folder / "img1.png")
    (root / "config.yaml").write_text(
        f"Task: t\nscorer: Me\nmultianimalproject: true\nidentity: {identity}\nindividuals: [ann, bob]\n"
        "multianimalbodyparts: [nose]\nbodyparts: MULTI!\nvideo_sets:\n"
    )


def test_what_was_put_right_is_said_with_its_frames(tmp_path):
    run, xy = stored(tmp_path, colour=60.0)
    tracking_path(run.path).write_text(
        json.dumps({"frames": N, "tracker": Tracker(2, Bones.unknown(3)).state(), "mended": False})
    )
    wrong = np.flatnonzero((poses_of(run) != xy).any(axis=(1, 2, 3)))
    write_project(tmp_path / "p", "false")
    with open_project(tmp_path / "p") as project:
        (video,) = project.videos
        (sentence,) = follow(project, video, run)
        assert f"were swapped in frames {wrong[0]} to {wrong[-1]}." in sentence
        assert follow(project, video, run) == []
    np.testing.assert_array_equal(poses_of(run), xy)


@pytest.mark.parametrize("identity", ["true", "false"])
def test_names_that_are_not_used_are_said_once(tmp_path, identity):
    write_project(tmp_path / "p", identity)
    names = ("ann", "bob", "cid", "dot", "eve")
    header = RunHeader(
        video="cam", identity="i", model_version=1, bodyparts=("nose",), individuals=names, segments=((0, 9),)
    )
    run = VideoPredictions(tmp_path / "predictions").resume(header)
    rows = np.tile(np.array([[x, 5.0, 0.9] for x in (5, 15, 25, 35, 45)], np.float32), (9, 1, 1))
    run.write(0, np.concatenate([rows, look_rows(rows.reshape(9, 5, 1, 3)[..., :2], np.full((9, 5, 1, 3), 90.0))], 1))
    run.finish(0)
    with open_project(tmp_path / "p") as project:
        (video,) = project.videos
        for who in ("ann", "bob"):
            project.labels.place(FrameKey("cam", 1), "nose", 5, 6, individual=who)
        notices = follow(project, video, run)
        assert any("here are 5" in notice for notice in notices) == (identity == "true")
        assert follow(project, video, run) == []


@pytest.mark.parametrize("identity", ["true", "false", ""])
def test_only_identity_projects_have_labels_with_names(tmp_path, identity):
    write_project(tmp_path / "p", identity)
    with open_project(tmp_path / "p") as project:
        for who in ("ann", "bob"):
            project.labels.place(FrameKey("cam", 1), "nose", 5, 6, individual=who)
        assert sorted(named_labels(project, "cam")) == ([1] if identity == "true" else [])


def mixed_run(tmp_path):
    """Return a run of two animals that come near and part again, and have each other's last bodypart when near."""
    run, _ = stored(tmp_path, colour=0.0)
    gap = 40 + 32 * np.cos(np.arange(N) / 16)
    xy = np.stack([np.broadcast_to(SHAPE, (N, 3, 2)), SHAPE + gap[:, None, None] * (0.0, 1.0)], axis=1)
    xy = (xy + np.random.default_rng(1).normal(0, 0.3, xy.shape)).astype(np.float32)
    near = gap < 15
    rows = np.concatenate([xy, np.full((N, 2, 3, 1), 0.9, np.float32)], axis=-1)
    rows[near, :, 2] = rows[near, ::-1, 2]
    run.write(0, rows.reshape(N, 6, 3))
    return run, xy, near


@pytest.mark.parametrize("stop_at", ["before", "amid"])
def test_bodyparts_of_the_other_are_given_back_also_if_stopped_on_the_way(tmp_path, monkeypatch, stop_at):
    monkeypatch.setattr(tracks, "CHUNK", 96)
    run, xy, near = mixed_run(tmp_path / "once")
    list(track_run(run))
    once = poses_of(run)
    same = (once == xy).all(axis=(2, 3)).all(axis=1) | (once[:, ::-1] == xy).all(axis=(2, 3)).all(axis=1)
    assert same[near].mean() > 0.9

    run, _, _ = mixed_run(tmp_path / "twice")
    write, n_writes = type(run).write, 0

    def killed(self, first, values):
        nonlocal n_writes
        n_writes += 1
        if n_writes == 3:
            if stop_at == "amid":
                write(self, first, values[: len(values) // 2])
            raise KeyboardInterrupt
        write(self, first, values)

    with monkeypatch.context() as patch:
        patch.setattr(type(run), "write", killed)
        with pytest.raises(KeyboardInterrupt):
            list(track_run(run))
    list(track_run(run))
    np.testing.assert_array_equal(poses_of(run), once)


def test_following_can_be_stopped_after_each_frame_also_when_bodyparts_are_given_back(tmp_path, monkeypatch):
    monkeypatch.setattr(tracks, "CHUNK", 400)
    run, _, _ = mixed_run(tmp_path)
    told = list(track_run(run))
    assert max(told) <= 0.5
    assert sum(told) == pytest.approx(N)
    n_looked_at = 400 + tracks.AHEAD + (N - 400)
    assert np.count_nonzero(told) == 2 * n_looked_at  # once as whole poses, once as bodyparts
    n_moments = len(told)

    # Wherever it is stopped, it goes on to the same end.
    expected = run.path.read_bytes(), run.margins_path.read_bytes()
    for after in (1, n_looked_at // 2, 1100, n_looked_at * 3 // 2, n_moments - 2):
        run, _, _ = mixed_run(tmp_path / str(after))
        work = track_run(run)
        for _ in range(after):
            next(work)
        work.close()
        list(track_run(run))
        assert (run.path.read_bytes(), run.margins_path.read_bytes()) == expected


def test_what_a_killed_following_left_half_written_goes(tmp_path):
    run, _ = stored(tmp_path, colour=60.0)
    left = [run.path.with_name(f".al-pose-{name}") for name in ("cam-abc_12de.npy", "cam-2-abc_12de.npy")]
    for path in left:
        path.write_bytes(b"half")
    list(track_run(run))
    assert [path.exists() for path in left] == [False, True], "those of another video stay"

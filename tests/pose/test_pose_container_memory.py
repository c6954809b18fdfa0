"""What a container or a cluster's job leaves of the memory, read from files as the kernel writes them."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

from napari_al_pose.pose import memory
from napari_al_pose.pose.container_memory import free_in_container

GB = 2**30
UNLIMITED_V1 = 9223372036854771712


def group(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(f"{content}\n")


def v2(limit, used, cache=0):
    stat = f"anon {used}\nfile {3 * cache}\ninactive_file {cache}\nactive_file {cache}"
    return {"memory.max": limit, "memory.current": used, "memory.stat": stat}


def v1(limit, used, cache=0):
    stat = f"inactive_file 1\ntotal_inactive_file {cache}"
    return {"memory.limit_in_bytes": limit, "memory.usage_in_bytes": used, "memory.stat": stat}


@pytest.fixture
def free(tmp_path):
    """Return what tells how much is free for a process of these groups."""

    def ask(membership):
        (tmp_path / "self").write_text(membership)
        return free_in_container(tmp_path / "groups", tmp_path / "self")

    return ask


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (v2(4 * GB, 3 * GB), GB),
        (v2(4 * GB, 3 * GB, cache=2 * GB), 3 * GB),  # what only keeps files at hand is free
        (v2("max", 3 * GB), math.inf),
        (v2(4 * GB, 5 * GB), 0),
        ({}, math.inf),
        ({"memory.max": "nonsense", "memory.current": 1}, math.inf),
        ({"memory.max": 4 * GB, "memory.current": GB}, 3 * GB),
    ],
)
def test_version_two(free, tmp_path, files, expected):
    group(tmp_path / "groups", files)
    assert free("0::/\n") == expected


def test_the_tightest_of_all_groups_above_holds(free, tmp_path):
    group(tmp_path / "groups" / "slurm" / "job_7" / "step_0", v2("max", GB))
    group(tmp_path / "groups" / "slurm" / "job_7", v2(8 * GB, 6 * GB))
    group(tmp_path / "groups" / "slurm", v2(64 * GB, 60 * GB))
    assert free("0::/slurm/job_7/step_0\n") == 2 * GB
    assert free("0::/slurm\n") == 4 * GB
    assert free("0::/elsewhere\n") == math.inf


def test_version_one_with_the_hosts_path_inside_the_container(free, tmp_path):
    group(tmp_path / "groups" / "memory", v1(2 * GB, GB, cache=GB // 2))
    assert free("5:cpuset:/\n4:hugetlb,memory:/docker/0123abcd\n0::/\n") == 1.5 * GB
    group(tmp_path / "groups" / "memory", v1(UNLIMITED_V1, GB))
    assert free("4:memory:/docker/0123abcd\n") > 2**60


@pytest.mark.parametrize("membership", ["", "\n", "nonsense", "0::/../..\n"])
def test_what_cannot_be_read_limits_nothing(free, membership):
    assert free(membership) == math.inf


def test_where_there_are_no_groups_nothing_is_limited(tmp_path):
    assert free_in_container(tmp_path / "groups", tmp_path / "self") == math.inf


def test_a_network_may_take_half_of_what_the_container_leaves(monkeypatch):
    machine = SimpleNamespace(virtual_memory=lambda: SimpleNamespace(available=16 * GB))
    monkeypatch.setattr(memory, "psutil", machine)
    monkeypatch.setattr(memory, "free_in_container", lambda: 3.0 * GB)
    assert memory.usable_bytes("cpu") == 1.5 * GB
    monkeypatch.setattr(memory, "free_in_container", lambda: math.inf)
    assert memory.usable_bytes("cpu") == 8 * GB

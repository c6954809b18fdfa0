"""Fetching openfield: complete and checked, or a clear word; no test goes to the internet."""

from __future__ import annotations

import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from napari_al_pose.domain import AlPoseError
from napari_al_pose.samples import fetch_openfield
from napari_al_pose.samples.openfield import PROJECT_NAME, registry


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture
def serve():
    """Serve a folder on this machine; returns its address."""
    servers = []

    def start(folder) -> str:
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_the_registry_lists_a_whole_project():
    files = registry()
    assert len(files) == 120
    assert all(len(sha256) == 64 for sha256 in files.values())
    assert {"config.yaml", "videos/m3v1mp4.mp4", "labeled-data/m4s1/CollectedData_Pranav.h5"} <= set(files)
    assert not any(name.startswith("/") or ".." in name for name in files)


def test_it_completes_and_then_needs_no_server(data_dir, tmp_path, serve):
    seen = []
    config = fetch_openfield(
        tmp_path, base_url=serve(data_dir / PROJECT_NAME), progress=lambda done, total: seen.append((done, total))
    )
    assert config == tmp_path / PROJECT_NAME / "config.yaml"
    assert config.read_bytes() == (data_dir / PROJECT_NAME / "config.yaml").read_bytes()
    assert {path.relative_to(config.parent).as_posix() for path in config.parent.rglob("*") if path.is_file()} == set(
        registry()
    )
    assert seen == [(done, 120) for done in range(1, 121)]
    assert fetch_openfield(tmp_path, base_url="http://127.0.0.1:9/") == config


def test_a_file_with_the_wrong_hash_is_refused(tmp_path, serve):
    site = tmp_path / "site"
    for name in registry():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_bytes(b"not it")
    with pytest.raises(AlPoseError, match="SHA-256"):
        fetch_openfield(tmp_path / "out", base_url=serve(site))
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


def test_a_broken_download_goes_on_where_it_stopped(data_dir, tmp_path, serve):
    site = tmp_path / "site"
    shutil.copytree(data_dir / PROJECT_NAME, site, copy_function=shutil.copyfile)
    (site / "videos" / "m3v1mp4.mp4").unlink()
    with pytest.raises(AlPoseError, match="m3v1mp4"):
        fetch_openfield(tmp_path / "out", base_url=serve(site))
    assert not (tmp_path / "out" / PROJECT_NAME / "config.yaml").exists()
    rest = tmp_path / "rest"
    for name in ("videos/m3v1mp4.mp4", "config.yaml"):
        (rest / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(data_dir / PROJECT_NAME / name, rest / name)
    assert fetch_openfield(tmp_path / "out", base_url=serve(rest)).is_file()


def test_offline_says_so(tmp_path):
    with pytest.raises(AlPoseError) as caught:
        fetch_openfield(tmp_path, base_url="http://127.0.0.1:9/")
    assert "http://127.0.0.1:9/" in caught.value.message
    assert "Connect to the internet" in caught.value.hint

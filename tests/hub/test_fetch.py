"""The real hub client against a real server on this machine that speaks the hub's address layout."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch

from speechkd.errors import ConfigError, DataError, ResourceError
from speechkd.hub.fetch import fetch_files
from speechkd.models.vocoder.config import HIFIGAN_V2, MelShape, to_published_json
from speechkd.models.vocoder.hifigan import HifiGan
from speechkd.models.vocoder.load import load_vocoder
from speechkd.models.vocoder.options import HifiGanOptions

REPOSITORY = "someone/voices"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = {"config.json": b'{"a": 1}\n', "weights/model.bin": bytes(range(256)) * 300}


class Hub:
    """Serves `files` of one repository at one commit, and remembers what it was asked for."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.requests: list[tuple[str, str]] = []
        self.cut_short = False
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                self.answer(with_body=False)

            def do_GET(self) -> None:
                self.answer(with_body=True)

            def answer(self, with_body: bool) -> None:
                hub.requests.append((self.command, self.path))
                prefix = f"/{REPOSITORY}/resolve/{COMMIT}/"
                data = hub.files.get(self.path.removeprefix(prefix)) if self.path.startswith(prefix) else None
                if data is None:
                    self.send_response(404)
                    self.send_header("X-Error-Code", "EntryNotFound")
                    self.send_header("X-Repo-Commit", COMMIT)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                self.send_response(200)
                self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
                self.send_header("X-Repo-Commit", COMMIT)
                self.send_header("Accept-Ranges", "bytes")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if with_body:
                    self.wfile.write(data[: len(data) // 2] if hub.cut_short else data)
                    self.close_connection = hub.cut_short

            def log_message(self, *_args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def files_asked_for(self) -> list[tuple[str, str]]:
        """Without the client's own questions about the server."""
        return [request for request in self.requests if REPOSITORY in request[1]]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def hub(monkeypatch, tmp_path):
    server = Hub(dict(FILES))
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setenv("SPEECHKD_CACHE", str(tmp_path / "converted"))
    yield server
    server.close()


def digests(files: dict[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}


def test_pinned_files_arrive_and_are_asked_for_once(hub, tmp_path):
    paths = fetch_files(REPOSITORY, COMMIT, digests(FILES), tmp_path / "cache")
    assert [path.read_bytes() for path in paths] == list(FILES.values())
    asked = hub.files_asked_for()
    assert {path for _, path in asked} == {f"/{REPOSITORY}/resolve/{COMMIT}/{name}" for name in FILES}
    assert fetch_files(REPOSITORY, COMMIT, digests(FILES), tmp_path / "cache") == paths
    assert hub.files_asked_for() == asked


def test_the_cache_serves_when_the_hub_is_gone(hub, tmp_path, monkeypatch):
    paths = fetch_files(REPOSITORY, COMMIT, digests(FILES), tmp_path / "cache")
    hub.close()
    assert fetch_files(REPOSITORY, COMMIT, digests(FILES), tmp_path / "cache") == paths


def test_another_digest_is_refused(hub, tmp_path):
    with pytest.raises(DataError, match="is not the file that was asked for") as raised:
        fetch_files(REPOSITORY, COMMIT, {"config.json": "0" * 64}, tmp_path / "cache")
    assert digests(FILES)["config.json"] in str(raised.value)


def test_a_file_changed_in_the_cache_is_refused(hub, tmp_path):
    wanted = digests(FILES)
    paths = fetch_files(REPOSITORY, COMMIT, wanted, tmp_path / "cache")
    paths[1].write_bytes(b"something else")
    with pytest.raises(DataError, match="is not the file"):
        fetch_files(REPOSITORY, COMMIT, wanted, tmp_path / "cache")


def test_a_missing_file_is_said(hub, tmp_path):
    with pytest.raises(DataError, match="does not give this file"):
        fetch_files(REPOSITORY, COMMIT, {"other.bin": "0" * 64}, tmp_path / "cache")


def test_no_server_is_said(hub, tmp_path, monkeypatch):
    hub.close()
    # The client waits longer and longer between its tries.
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    with pytest.raises(ResourceError, match="cannot be reached"):
        fetch_files(REPOSITORY, COMMIT, digests(FILES), tmp_path / "cache")


@pytest.mark.parametrize("revision", ["", "main", "v1.0", COMMIT[:8], COMMIT.upper()])
def test_an_unpinned_revision_is_refused_before_any_request(hub, tmp_path, revision):
    with pytest.raises(ConfigError, match="not pinned"):
        fetch_files(REPOSITORY, revision, digests(FILES), tmp_path / "cache")
    assert not hub.requests


@pytest.mark.parametrize(
    ("repository", "names"),
    [
        (REPOSITORY, ["../secrets"]),
        (REPOSITORY, ["weights/../../x"]),
        (REPOSITORY, ["/etc/passwd"]),
        (REPOSITORY, ["weights\\..\\x"]),
        (REPOSITORY, [""]),
        (REPOSITORY, ["a?b"]),
        (REPOSITORY, []),
        ("voices", ["config.json"]),
        ("../x/y", ["config.json"]),
        ("a/..", ["config.json"]),
    ],
)
def test_names_that_leave_the_repository_are_refused(hub, tmp_path, repository, names):
    with pytest.raises(ConfigError):
        fetch_files(repository, COMMIT, dict.fromkeys(names, "0" * 64), tmp_path / "cache")
    assert not hub.requests


def test_a_digest_must_be_one(hub, tmp_path):
    with pytest.raises(ConfigError, match="is not a SHA-256"):
        fetch_files(REPOSITORY, COMMIT, {"config.json": "12"}, tmp_path / "cache")


def test_a_vocoder_comes_from_the_hub(hub, tmp_path):
    torch.manual_seed(0)
    generator = HifiGan(HIFIGAN_V2)
    torch.save({"generator": generator.state_dict()}, tmp_path / "g")
    hub.files = {
        "UNIVERSAL/g_01000000": (tmp_path / "g").read_bytes(),
        "UNIVERSAL/config.json": json.dumps(to_published_json(HIFIGAN_V2, MelShape.published())).encode(),
    }
    options = HifiGanOptions(hub=REPOSITORY, revision=COMMIT, sha256=digests(hub.files))

    def fetch(repository, revision, sha256):
        return fetch_files(repository, revision, sha256, tmp_path / "cache")

    mel = torch.randn(1, 4, 80)
    vocoder = load_vocoder(options, "hifigan_22k", fetch)
    with torch.inference_mode():
        torch.testing.assert_close(vocoder(mel), generator.eval()(mel.transpose(1, 2)))
    with pytest.raises(ConfigError, match="hub cannot be used here"):
        load_vocoder(options, "hifigan_22k")

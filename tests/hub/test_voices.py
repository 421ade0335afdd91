"""Voices travel: the real hub client against a server on this machine that stands in for the hub, and zip files."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from speechkd.cli.main import main
from speechkd.errors import ArtifactError, ConfigError, DataError, ResourceError, UsageError
from speechkd.hub.voices import pull_voice, push_voice, unzip_voice, zip_voice
from speechkd.synthesis import load_voice
from speechkd.synthesis.find import own_voices
from tests.synthesis.tiny import pack_kind

REPOSITORY = "someone/little"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """A stand-in for the hub: one repository, whose files are those that were committed, at one commit."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.created: list[dict[str, Any]] = []
        self.tokens: set[str | None] = set()
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                self.file(with_body=False)

            def do_GET(self) -> None:
                if self.path.startswith(f"/api/models/{REPOSITORY}"):
                    self.answer({"id": REPOSITORY, "modelId": REPOSITORY, "sha": COMMIT, "siblings": []})
                else:
                    self.file(with_body=True)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hub.tokens.add(self.headers.get("Authorization"))
                if self.path == "/api/repos/create":
                    hub.created.append(json.loads(body))
                    self.answer({"url": f"{hub.url}/{REPOSITORY}"})
                elif self.path == "/api/validate-yaml":
                    self.answer({"errors": [], "warnings": []})
                elif "/preupload/" in self.path:
                    asked = json.loads(body)["files"]
                    told = {"uploadMode": "regular", "shouldIgnore": False, "oid": None}
                    self.answer({"files": [{"path": each["path"], **told} for each in asked]})
                elif "/commit/" in self.path:
                    for line in map(json.loads, body.splitlines()):
                        if line["key"] == "file":
                            hub.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
                    self.answer({"commitUrl": f"{hub.url}/{REPOSITORY}/commit/{COMMIT}", "commitOid": COMMIT})
                else:
                    self.answer({}, 404)

            def file(self, with_body: bool) -> None:
                prefix = f"/{REPOSITORY}/resolve/{COMMIT}/"
                data = hub.files.get(self.path.removeprefix(prefix)) if self.path.startswith(prefix) else None
                if data is None:
                    self.answer({}, 404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
                    return
                etag = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": COMMIT}
                self.raw(data, 200, etag, with_body)

            def answer(self, content: dict[str, Any], code: int = 200, headers: dict[str, str] | None = None) -> None:
                kind = {"Content-Type": "application/json"}
                self.raw(json.dumps(content).encode(), code, kind | (headers or {}), self.command != "HEAD")

            def raw(self, data: bytes, code: int, headers: dict[str, str], with_body: bool) -> None:
                self.send_response(code)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if with_body:
                    self.wfile.write(data)

            def log_message(self, *_args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    made = Hub()
    monkeypatch.setenv("HF_ENDPOINT", made.url)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("SPEECHKD_VOICES", str(tmp_path / "mine"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hub") / "little"
    pack_kind("fastspeech", path, onnx=True)
    return path


def test_a_voice_goes_to_the_hub_and_comes_back(hub: Hub, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["voices", "push", str(folder), REPOSITORY, "--private"]) == 0
    assert f"speechkd voices pull {REPOSITORY} --revision {COMMIT}" in capsys.readouterr().out
    assert hub.created[0]["visibility"] == "private" and hub.tokens == {"Bearer hf_secret"}
    assert set(hub.files) == {path.name for path in folder.iterdir()} | {"README.md"}
    readme = hub.files["README.md"].decode()
    assert readme.startswith("---\n") and 'pipeline_tag: "text-to-speech"' in readme and "# tiny" in readme
    assert main(["voices", "pull", REPOSITORY, "--revision", COMMIT]) == 0
    shown = capsys.readouterr().out
    assert "--voice little" in shown
    (pulled,) = own_voices()
    assert pulled.manifest is not None and pulled.manifest.name == "little"
    text = "Did it rain?"
    here, there = load_voice(folder).synthesize(text), load_voice(pulled.folder).synthesize(text)
    np.testing.assert_array_equal(here.samples, there.samples)
    assert main(["voices"]) == 0
    assert str(pulled.folder) in capsys.readouterr().out
    assert main(["synthesize", text, "--voice", "little", "-o", str(pulled.folder.parent / "a.wav")]) == 0


def test_without_a_revision_the_newest_is_taken_and_told(hub: Hub, folder: Path, tmp_path: Path) -> None:
    push_voice(folder, REPOSITORY)
    pulled, commit = pull_voice(REPOSITORY, None, tmp_path / "there")
    assert commit == COMMIT and pulled == tmp_path / "there" / "little"
    assert pull_voice(REPOSITORY, COMMIT, tmp_path / "there")[0] == pulled, "the same voice again is no conflict"


def test_what_is_not_the_voice_is_refused_and_leaves_nothing(
    hub: Hub, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    push_voice(folder, REPOSITORY)
    good = dict(hub.files)
    root = tmp_path / "there"
    hub.files["acoustic.safetensors"] = good["acoustic.safetensors"][:-1] + b"x"
    with pytest.raises(DataError, match="not the file that was asked for"):
        pull_voice(REPOSITORY, COMMIT, root)
    manifest = json.loads(good["voice.json"])
    for name in ("../evil", "/etc/passwd", "a/b", "voice.json"):
        # What is in the cache at a commit is not asked for again, and here one commit has many contents.
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / name.replace("/", "-")))
        lying = manifest | {"files": manifest["files"] | {name: "0" * 64}}
        hub.files = good | {"voice.json": json.dumps(lying).encode()}
        with pytest.raises(ArtifactError, match="is no file name"):
            pull_voice(REPOSITORY, None, tmp_path / name.replace("/", "_"))
    with pytest.raises(ConfigError, match="not pinned"):
        pull_voice(REPOSITORY, "main", root)
    assert list(root.iterdir()) == []


def test_a_hub_that_is_not_there_and_one_that_refuses(monkeypatch: pytest.MonkeyPatch, hub: Hub, folder: Path) -> None:
    with pytest.raises(ResourceError, match="refuses"):
        push_voice(folder, "no/such/name")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ResourceError, match="cannot be reached.*HF_ENDPOINT"):
        push_voice(folder, REPOSITORY)


def test_a_zip_file_is_the_same_every_time_and_unpacks(folder: Path, tmp_path: Path) -> None:
    for name in ("a.zip", "b.zip"):
        zip_voice(folder, tmp_path / name)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    unpacked = unzip_voice(tmp_path / "a.zip", tmp_path / "voices")
    assert {path.name: path.read_bytes() for path in unpacked.iterdir()} == {
        path.name: path.read_bytes() for path in folder.iterdir()
    }
    other = tmp_path / "other" / "little"
    pack_kind("tokens", other)
    zip_voice(other, tmp_path / "other.zip")
    with pytest.raises(UsageError, match="another voice of this name is there"):
        unzip_voice(tmp_path / "other.zip", tmp_path / "voices")


def changed(source: Path, target: Path, files: dict[str, bytes]) -> Path:
    """A copy of a zip file with other content for some of its members."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in {*old.namelist(), *files}:
            new.writestr(name, files.get(name) or old.read(name))
    return target


def test_hostile_zip_files(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zip_voice(folder, tmp_path / "a.zip")
    root = tmp_path / "voices"
    manifest = json.loads((folder / "voice.json").read_text())

    def unzip(files: dict[str, bytes]) -> None:
        unzip_voice(changed(tmp_path / "a.zip", tmp_path / "b.zip", files), root)

    with pytest.raises(ArtifactError, match="damaged"):
        unzip({"symbols.json": b"{}"})
    files = manifest["files"] | {"../../evil": hashlib.sha256(b"x").hexdigest()}
    with pytest.raises(ArtifactError, match="no file name"):
        unzip({"voice.json": json.dumps(manifest | {"files": files}).encode(), "../../evil": b"x"})
    with pytest.raises(ArtifactError, match="cannot be a folder"):
        unzip({"voice.json": json.dumps(manifest | {"name": "../evil"}).encode()})
    monkeypatch.setattr("speechkd.hub.voices.MOST_BYTES", 10_000)
    with pytest.raises(DataError, match="too large"):
        unzip({"card.md": b" " * 10_000_000})
    for content in (b"", b"PK\x03\x04 no", io.BytesIO().getvalue()):
        (tmp_path / "c.zip").write_bytes(content)
        with pytest.raises(DataError, match="no voice in a zip file"):
            unzip_voice(tmp_path / "c.zip", root)
    with zipfile.ZipFile(tmp_path / "d.zip", "w") as archive:
        archive.writestr("readme", "hello")
    with pytest.raises(DataError, match="voice.json"):
        unzip_voice(tmp_path / "d.zip", root)
    with pytest.raises(UsageError, match="no such file"):
        unzip_voice(tmp_path / "e.zip", root)
    assert list(root.iterdir()) == [] and not (tmp_path.parent / "evil").exists()


def test_a_damaged_voice_does_not_travel(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in folder.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    (copy / "symbols.json").write_text("{}")
    with pytest.raises(ArtifactError, match="damaged"):
        zip_voice(copy, tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()

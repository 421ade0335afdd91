"""Which engine speaks, and what is said when it cannot."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from speechkd.errors import ArtifactError, ResourceError, UsageError
from speechkd.synthesis import load as loading
from speechkd.synthesis import load_voice, read_manifest
from tests.synthesis.standin import STAND_INS, pack
from tests.synthesis.tiny import pack_kind


@pytest.fixture
def graphs_only(exported: dict[str, Path], tmp_path: Path) -> Path:
    folder = tmp_path / "graphs"
    shutil.copytree(exported["tokens"], folder)
    manifest = read_manifest(folder)
    for name in manifest.weight_files():
        (folder / name).unlink()
    kept = {name: digest for name, digest in manifest.files.items() if (folder / name).is_file()}
    (folder / "voice.json").write_text(manifest.model_copy(update={"files": kept}).to_text())
    return folder


def without(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    monkeypatch.setattr(loading, "find_spec", lambda name: None if name in packages else object())


def test_auto_takes_onnx_where_it_can(
    exported: dict[str, Path], graphs_only: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_voice(exported["tokens"]).engine.name == "onnx"
    assert load_voice(graphs_only).engine.name == "onnx"
    assert read_manifest(exported["tokens"]).engines == ("onnx", "torch")
    assert read_manifest(graphs_only).engines == ("onnx",)
    without(monkeypatch, "onnxruntime")
    assert load_voice(exported["tokens"]).engine.name == "torch"
    with pytest.raises(ResourceError, match="onnxruntime.*pip install onnxruntime"):
        load_voice(graphs_only)


def test_a_voice_of_weights_has_no_onnx(tmp_path: Path) -> None:
    pack_kind("fastspeech", tmp_path / "voice")
    assert load_voice(tmp_path / "voice").engine.name == "torch"
    with pytest.raises(UsageError, match=r"no onnx graphs.*speechkd export .*voice"):
        load_voice(tmp_path / "voice", engine="onnx")


def test_griffin_lim_needs_torch(tmp_path: Path) -> None:
    pack(tmp_path / "voice")
    with pytest.raises(UsageError, match="Griffin-Lim has no onnx form"):
        load_voice(tmp_path / "voice", STAND_INS, engine="onnx")


def test_a_voice_of_graphs_has_no_weights(graphs_only: Path) -> None:
    with pytest.raises(UsageError, match="no weights for torch.*use onnx"):
        load_voice(graphs_only, engine="torch")


def test_packages_that_lack_are_named(exported: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "torch", "onnxruntime")
    with pytest.raises(ResourceError, match=r"torch.*speechkd\[torch\]"):
        load_voice(exported["tokens"])
    with pytest.raises(ResourceError, match="onnxruntime"):
        load_voice(exported["tokens"], engine="onnx")
    with pytest.raises(UsageError, match="no engine 'tpu'"):
        load_voice(exported["tokens"], engine="tpu")  # type: ignore[arg-type]


def test_without_graphs_or_weights_there_is_no_voice(exported: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(exported["tokens"], tmp_path / "voice")
    manifest = read_manifest(tmp_path / "voice")
    text = manifest.model_copy(update={"onnx": None, "files": {k: v for k, v in manifest.files.items() if "." in k}})
    (tmp_path / "voice" / "acoustic.safetensors").unlink()
    (tmp_path / "voice" / "voice.json").write_text(text.to_text())
    with pytest.raises(ArtifactError, match=r"acoustic.safetensors.*missing"):
        load_voice(tmp_path / "voice")

"""A voice says the same with onnxruntime as with torch, whatever its kind, the length of the text and the controls."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from speechkd.errors import ArtifactError, UsageError
from speechkd.runner.digests import file_digest
from speechkd.synthesis import Voice, load_voice
from speechkd.synthesis.engines.interface import Delivery
from speechkd.text import ENGLISH_SYMBOLS
from tests.synthesis.tiny import KINDS

Both = Callable[[str], tuple[Voice, Voice]]
LENGTHS = (1, 2, 23, 200)


@pytest.fixture(scope="module")
def both(exported: dict[str, Path]) -> Both:
    return cache(lambda kind: (load_voice(exported[kind], engine="torch"), load_voice(exported[kind], engine="onnx")))


def numbers(length: int) -> list[int]:
    return [int(each) for each in np.random.default_rng(length).integers(1, len(ENGLISH_SYMBOLS), length)]


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("kind", KINDS)
def test_durations_are_the_same_and_mels_within_a_thousandth(both: Both, kind: str, length: int) -> None:
    ours, theirs = (voice.engine.predict(numbers(length), Delivery()) for voice in both(kind))
    np.testing.assert_array_equal(ours.durations, theirs.durations)
    assert theirs.durations.dtype == np.int64 and len(theirs.durations) == length
    assert ours.n_frames == theirs.n_frames == ours.durations.sum() > 0
    if kind in ("samples", "harmonic"):
        assert ours.mel is theirs.mel is None
        # The phase of an excitation is a sum over all frames, and so is what rounding does to it.
        np.testing.assert_allclose(theirs.samples, ours.samples, atol=1e-4 if kind == "samples" else 5e-3)
        assert len(theirs.samples) == 256 * theirs.n_frames
    else:
        assert theirs.mel.shape == (theirs.n_frames, 80)
        assert np.std(theirs.mel) > 0.1
        np.testing.assert_allclose(theirs.mel, ours.mel, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_controls_and_speakers_do_the_same(both: Both, kind: str) -> None:
    ours, theirs = both(kind)
    assert ours.engine.controls == theirs.engine.controls
    tokens = numbers(30)
    seen = {}
    for controls in (
        Delivery(), Delivery(speed=0.5), Delivery(speed=2.7), Delivery(pitch=7.0), Delivery(energy=0.3),
        Delivery(speaker=len(ours.speakers) // 2),
    ):  # fmt: skip
        a, b = ours.engine.predict(tokens, controls), theirs.engine.predict(tokens, controls)
        np.testing.assert_array_equal(a.durations, b.durations)
        first, second = (a.samples, b.samples) if a.mel is None else (a.mel, b.mel)
        np.testing.assert_allclose(first, second, atol=1e-3)
        seen[controls] = second
    plain = seen[Delivery()]
    assert len(seen[Delivery(speed=0.5)]) > 1.5 * len(plain) > 2 * len(seen[Delivery(speed=2.7)])
    for control, changed in (("pitch", Delivery(pitch=7.0)), ("energy", Delivery(energy=0.3))):
        assert np.array_equal(seen[changed], plain) == (control not in ours.engine.controls)
    if ours.speakers:
        other = seen[Delivery(speaker=1)]
        assert len(other) != len(plain) or not np.allclose(other, plain, atol=1e-2)


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_becomes_the_same_speech(both: Both, kind: str) -> None:
    first, second = (voice.synthesize("Yes. Did it rain, or not?", seed=3) for voice in both(kind))
    assert first.words == second.words and first.phones == second.phones
    assert len(first.samples) == len(second.samples)
    np.testing.assert_allclose(first.samples, second.samples, atol=2e-3)
    again = both(kind)[1].synthesize("Yes. Did it rain, or not?", seed=4)
    np.testing.assert_array_equal(second.samples, again.samples)


@pytest.mark.parametrize("kind", ["tokens", "frames"])
def test_vocoders_make_the_same_samples(both: Both, kind: str) -> None:
    ours, theirs = both(kind)
    for n_frames in (1, 2, 31):
        mel = np.random.default_rng(n_frames).normal(-4, 2, (n_frames, 80)).astype(np.float32)
        first, second = ours.engine.vocode(mel), theirs.engine.vocode(mel)
        assert first.shape == second.shape == (n_frames * 256,)
        # A pitch that differs in its last digit makes high harmonics differ in their fourth.
        np.testing.assert_allclose(first, second, atol=1e-5 + 1e-3 * np.abs(first).max())


def speak_apart(*arguments: str) -> subprocess.CompletedProcess[str]:
    script = (
        "import sys\nfrom speechkd.cli.main import main\n"
        f"code = main(['synthesize', 'It rained, 12 times.', *{list(arguments)!r}])\n"
        "heavy = {'torch', 'scipy', 'librosa', 'lhotse', 'transformers', 'onnx'} & set(sys.modules)\n"
        "print('imported:', sorted(heavy))\nsys.exit(code)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)


def test_onnx_speaks_without_torch(exported: dict[str, Path], tmp_path: Path) -> None:
    output = tmp_path / "a.wav"
    done = speak_apart("--voice", str(exported["tokens"]), "-o", str(output), "--threads", "1")
    assert done.returncode == 0, done.stderr
    assert "imported: []" in done.stdout
    assert output.stat().st_size > 1000


def copied(folder: Path, target: Path) -> Path:
    shutil.copytree(folder, target)
    return target


def change_manifest(folder: Path, change: Callable[[dict], None]) -> None:
    path = folder / "voice.json"
    raw = json.loads(path.read_text())
    change(raw)
    path.write_text(json.dumps(raw))


@pytest.mark.parametrize("name", ["encoder.onnx", "decoder.onnx", "vocoder.onnx"])
def test_damaged_and_missing_graphs_are_named(exported: dict[str, Path], tmp_path: Path, name: str) -> None:
    folder = copied(exported["tokens"], tmp_path / "voice")
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(ArtifactError, match=f"{name}.*damaged"):
        load_voice(folder)
    assert load_voice(folder, engine="torch").engine.name == "torch"
    (folder / name).unlink()
    with pytest.raises(ArtifactError, match=f"{name}.*missing"):
        load_voice(folder, engine="torch")


def test_a_file_that_is_no_graph_and_a_graph_of_something_else_are_said(
    exported: dict[str, Path], tmp_path: Path
) -> None:
    """voice.json is covered by no digest: it can be made to fit any file."""
    folder = copied(exported["tokens"], tmp_path / "voice")

    def put(content: bytes) -> None:
        (folder / "decoder.onnx").write_bytes(content)
        digest = file_digest(folder / "decoder.onnx")
        change_manifest(folder, lambda raw: raw["files"].update({"decoder.onnx": digest}))

    put(b"no graph")
    with pytest.raises(ArtifactError, match=r"decoder.onnx.*cannot be read.*speechkd export"):
        load_voice(folder)
    put((folder / "vocoder.onnx").read_bytes())
    with pytest.raises(ArtifactError, match=r"decoder.onnx.*unknown input.*speechkd export"):
        load_voice(folder).synthesize("Yes.")
    put((exported["samples"] / "decoder.onnx").read_bytes())
    with pytest.raises(ArtifactError, match=r"decoder.onnx"):
        load_voice(folder).synthesize("Yes.")


def test_a_symbol_beyond_the_table_is_the_graphs_error(both: Both) -> None:
    with pytest.raises(ArtifactError, match="cannot run"):
        both("tokens")[1].engine.predict([1, 5000], Delivery())


def test_threads_are_a_number_from_1(exported: dict[str, Path]) -> None:
    with pytest.raises(UsageError, match="threads is 0"):
        load_voice(exported["tokens"], threads=0)
    assert load_voice(exported["tokens"], threads=1).synthesize("Yes.").duration_s > 0

"""Exporting a packed voice, by the library and by the command."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from safetensors import safe_open

from speechkd.cli.main import main
from speechkd.errors import ConfigError, UsageError
from speechkd.synthesis import load_voice, read_manifest
from speechkd.synthesis.engines.interface import Delivery
from speechkd.synthesis.export.compare import compare
from speechkd.synthesis.export.voice import export_voice
from speechkd.synthesis.export.weights import in_half_precision
from speechkd.synthesis.manifest import verify_files
from tests.synthesis.standin import StandIn, StandInConfig, pack
from tests.synthesis.tiny import fastspeech2, hifigan, istft, pack_kind, pack_tiny

TOKENS = [2, 30, 41, 55, 3, 17, 70, 8]


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_the_command_writes_a_new_voice_of_graphs(
    exported: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = tmp_path / "source", tmp_path / "made"
    pack_kind("tokens", source)
    before = contents(source)
    assert main(["export", str(source), "-o", str(target), "--no-weights"]) == 0
    told = capsys.readouterr().out
    assert re.search(r"made: decoder.onnx [\d.]+ MB, encoder.onnx", told)
    assert "durations that differ: none" in told and "samples differ by" in told
    assert contents(source) == before
    assert sorted(contents(target)) == [
        "card.md", "decoder.onnx", "encoder.onnx", "lexicon.txt", "symbols.json", "vocoder.onnx", "voice.json",
    ]  # fmt: skip
    verify_files(target, read_manifest(target))
    # The same weights gave the same bytes when the shared voice was packed.
    shared = contents(exported["tokens"])
    assert {name: shared[name] for name in shared if name.endswith(".onnx")} == {
        name: data for name, data in contents(target).items() if name.endswith(".onnx")
    }
    assert main(["synthesize", "Yes.", "--voice", str(target), "-o", str(tmp_path / "a.wav"), "--engine", "onnx"]) == 0
    assert main(["synthesize", "Yes.", "--voice", str(target), "-o", str(tmp_path / "a.wav"), "--engine", "torch"]) == 2
    assert "no weights for torch" in capsys.readouterr().err
    assert main(["export", str(target)]) == 2
    assert "holds onnx graphs alone" in capsys.readouterr().err


def test_in_place_the_weights_stay(tmp_path: Path) -> None:
    folder = tmp_path / "voice"
    pack_kind("samples", folder)
    before = contents(folder)
    done = export_voice(folder)
    first = contents(folder)
    assert set(first) - set(before) == {"encoder.onnx", "decoder.onnx"} == set(done.sizes_bytes)
    assert {name for name in before if before[name] != first[name]} == {"voice.json"}
    assert done.difference.n_durations_apart == 0 and done.difference.samples_max is not None


def test_graphs_tell_nothing_of_the_machine(exported: dict[str, Path]) -> None:
    for name in ("encoder.onnx", "decoder.onnx", "vocoder.onnx"):
        data = (exported["frames"] / name).read_bytes()
        assert not re.search(rb"\.py|/home|/work|site-packages|torch", data), name
        model = onnx.load_from_string(data)
        onnx.checker.check_model(model)
        assert model.producer_name == "speechkd" and not model.metadata_props


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("--output", "FULL"), "not empty"), (("--no-weights",), "Name its folder")],
)
def test_what_cannot_be_exported_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    pack_kind("fastspeech", tmp_path / "voice")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("precious")
    given = [str(tmp_path / "full") if each == "FULL" else each for each in arguments]
    assert main(["export", str(tmp_path / "voice"), *given]) == 2
    assert message in capsys.readouterr().err
    assert [file.name for file in (tmp_path / "full").iterdir()] == ["thesis.txt"]


def test_networks_without_an_onnx_form_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Griffin-Lim has no onnx form"):
        pack_tiny(tmp_path / "a", fastspeech2({"target": "none"}, {"target": "none"}), _griffin_lim(), onnx=True)
    with pytest.raises(ConfigError, match="standin model has no onnx form"):
        pack(tmp_path / "b", istft(), acoustic=StandIn(StandInConfig()), onnx=True)
    assert not any(file for folder in tmp_path.iterdir() for file in folder.iterdir())
    with pytest.raises(UsageError, match="no voice 'nobody'"):
        main_error("nobody")


def _griffin_lim() -> object:
    from speechkd.models.vocoder.griffinlim import GriffinLim

    return GriffinLim("hifigan_22k", 2)


def main_error(voice: str) -> None:
    from speechkd.cli.export import export

    export(voice)


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A voice large enough for its weights to count: as it is, in half precision, and in 8 bits."""
    root = tmp_path_factory.mktemp("wide")
    changes = {"plain": {"onnx": False}, "half": {"half": True}, "int8": {"int8": True}}
    for name, change in changes.items():
        torch.manual_seed(5)
        model = fastspeech2({"target": "f0", "level": "phoneme"}, {"level": "phoneme"}, hidden=64, conv_channels=96)
        pack_tiny(root / name, model, hifigan(), **({"onnx": True} | change), name="wide")
    return {name: root / name for name in changes}


def test_half_precision_takes_half_the_room_and_both_engines_agree(wide: dict[str, Path]) -> None:
    sizes = {name: {file.name: file.stat().st_size for file in wide[name].iterdir()} for name in wide}
    assert sizes["half"]["acoustic.safetensors"] < 0.55 * sizes["plain"]["acoustic.safetensors"]
    for name in ("encoder.onnx", "decoder.onnx"):
        stored = [each.data_type for each in onnx.load(wide["half"] / name).graph.initializer if len(each.dims) == 2]
        assert stored.count(onnx.TensorProto.FLOAT16) > 3
    with safe_open(wide["half"] / "acoustic.safetensors", "np") as file:
        assert {str(file.get_tensor(name).dtype) for name in file.keys()} == {"float16"}  # noqa: SIM118
    ours, theirs = (load_voice(wide["half"], engine=engine).engine for engine in ("torch", "onnx"))
    difference = compare(ours, theirs, [TOKENS])
    assert difference.n_durations_apart == 0 and 0 < difference.mel_max < 1e-3
    plain = load_voice(wide["plain"], engine="torch").engine.predict(TOKENS, Delivery())
    rounded = theirs.predict(TOKENS, Delivery())
    assert 0 < np.abs(plain.mel[: len(rounded.mel)] - rounded.mel[: len(plain.mel)]).mean() < 0.05


def test_eight_bits_are_small_and_near(wide: dict[str, Path]) -> None:
    integers = {
        name: sum(node.op_type == "MatMulInteger" for node in onnx.load(wide["int8"] / name).graph.node)
        for name in ("encoder.onnx", "decoder.onnx", "vocoder.onnx")
    }
    # Of the decoder: two products of attention, two of convolutions, and the projection to the mel.
    assert integers == {"encoder.onnx": 0, "decoder.onnx": 5, "vocoder.onnx": 0}
    assert (wide["int8"] / "decoder.onnx").stat().st_size < 0.4 * (wide["int8"] / "encoder.onnx").stat().st_size
    assert read_manifest(wide["int8"]).onnx.weights == "int8"
    assert read_manifest(wide["half"]).onnx.weights == "float32"
    ours, theirs = (load_voice(wide["int8"], engine=engine).engine for engine in ("torch", "onnx"))
    difference = compare(ours, theirs, [TOKENS])
    assert difference.n_durations_apart == 0
    assert 1e-4 < difference.mel_mean < 0.05 and difference.mel_max < 0.5
    assert difference.n_frames_apart > 0 and "frames by more than 0.001" in difference.lines()[1]


def test_only_weights_that_half_precision_holds_are_stored_in_it() -> None:
    from onnx import TensorProto, helper, numpy_helper

    exact = np.arange(2048, dtype=np.float32).reshape(32, 64)
    arrays = {"exact": exact, "inexact": exact + np.float32(1e-4), "large": exact * 1e5, "few": exact[:2, :2]}
    nodes = [helper.make_node("Identity", [name], [f"{name}_out"]) for name in arrays]
    outputs = [helper.make_tensor_value_info(f"{name}_out", TensorProto.FLOAT, None) for name in arrays]
    initializers = [numpy_helper.from_array(values, name) for name, values in arrays.items()]
    graph = helper.make_graph(nodes, "g", [], outputs, initializers)
    model = in_half_precision(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)]))
    stored = {each.name: each.data_type for each in model.graph.initializer}
    assert stored.pop("exact/half") == TensorProto.FLOAT16
    assert set(stored.values()) == {TensorProto.FLOAT} and set(stored) == {"inexact", "large", "few"}
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for (name, values), made in zip(arrays.items(), session.run(None, {}), strict=True):
        np.testing.assert_array_equal(made, values, err_msg=name)

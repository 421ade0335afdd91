"""What a configuration may ask of the packed voice is checked before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from recipes.tts.common.options import PackSection, onnx_problems
from recipes.tts.fastspeech2.config import FastSpeech2Recipe
from speechkd.config import ConfigErrors, load_config
from speechkd.models.vocoder.options import GriffinLimOptions, HifiGanOptions

MINI = Path(__file__).resolve().parents[3] / "egs" / "mini" / "tts1" / "conf" / "fastspeech2.yaml"


def test_graphs_are_asked_for_by_one_key() -> None:
    with pytest.raises(ConfigErrors, match=r"pack.onnx.*Griffin-Lim has no onnx form"):
        load_config(MINI, FastSpeech2Recipe, ["pack.onnx=true", "vocoder={type: griffinlim}"])
    with pytest.raises(ConfigErrors, match=r"pack.int8.*set onnx as well"):
        load_config(MINI, FastSpeech2Recipe, ["pack.int8=true"])
    plain = load_config(MINI, FastSpeech2Recipe, [])
    assert plain.pack == PackSection(name=plain.pack.name)
    assert not (plain.pack.onnx or plain.pack.int8 or plain.pack.half)
    halved = load_config(MINI, FastSpeech2Recipe, ["pack.half=true"])
    assert halved.pack.half


def test_kinds_that_have_no_onnx_form_are_known() -> None:
    neural, none = HifiGanOptions(path=Path("x")), GriffinLimOptions()
    assert [key for key, _ in onnx_problems("tts/transformer", neural)] == ["pack.onnx"]
    assert [key for key, _ in onnx_problems("tts/fastspeech", none)] == ["pack.onnx"]
    assert not list(onnx_problems("tts/fastspeech", neural))
    assert not list(onnx_problems("tts/fastspeech2s", none))

"""The configurations that are shipped, and what importing the recipe costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from recipes.vocoder.hifigan import RECIPE
from speechkd.config import ConfigErrors, load_config
from speechkd.models.vocoder.config import HIFIGAN_V1, HIFIGAN_V2, HIFIGAN_V3
from speechkd.training.schedule import learning_rate_factor

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = sorted(ROOT.glob("egs/*/vocoder1/conf/hifigan*.yaml"))
PRESETS = {"v1": HIFIGAN_V1, "v2": HIFIGAN_V2, "v3": HIFIGAN_V3, "small": HIFIGAN_V3}


def preset(folder: Path, name: str) -> Any:
    path = folder / f"{name}.yaml"
    base = ROOT / "recipes/vocoder/hifigan/conf" / f"{name}.yaml"
    path.write_text(f"base: {base}\nrun: {{dir: run}}\ncorpora: [{{name: mini}}]\n")
    return load_config(path, RECIPE.config)


def test_every_preset_is_tried() -> None:
    assert {path.stem for path in (ROOT / "recipes/vocoder/hifigan/conf").glob("*.yaml")} == PRESETS.keys()
    assert [path.parent.parent.parent.name for path in SHIPPED] == ["kathleen", "kathleen", "mini"]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parts[-4]}-{path.stem}")
def test_shipped_configurations_load(path: Path) -> None:
    cfg: Any = load_config(path, RECIPE.config, ["init.path=null"])
    assert cfg.recipe == RECIPE.name and cfg.results.conf == path.stem
    assert cfg.model.hop_samples == 256 and cfg.corpora[0].name == path.parts[-4]
    assert (path.parent.parent / "run.sh").stat().st_mode & 0o111


def test_a_fine_tuning_without_its_generator_does_not_begin() -> None:
    path = ROOT / "egs/kathleen/vocoder1/conf/hifigan_finetuned.yaml"
    with pytest.raises(ConfigErrors, match=r"init\.path: .*there is no vocoder"):
        load_config(path, RECIPE.config, ["init.path=/nowhere/at/all"])


@pytest.mark.parametrize("name", PRESETS)
def test_presets_have_the_published_sizes(tmp_path: Path, name: str) -> None:
    assert preset(tmp_path, name).model == PRESETS[name]


@pytest.mark.parametrize("name", ["v1", "v2", "v3"])
def test_presets_have_the_published_training(tmp_path: Path, name: str) -> None:
    cfg = preset(tmp_path, name)
    assert (cfg.slices.frames * 256, cfg.train.batch_frames // cfg.slices.frames) == (8192, 16)
    assert (cfg.losses.mel, cfg.losses.matching, cfg.losses.stft) == (45, 2, 0)
    assert (cfg.adversarial.weight, cfg.adversarial.start_step) == (1, 1)
    for player in (cfg.train, cfg.train.opponent):
        assert (player.optimizer.learning_rate, player.optimizer.betas) == (2e-4, (0.8, 0.99))
        assert (player.optimizer.weight_decay, player.optimizer.eps) == (0.01, 1e-8)  # AdamW's own defaults
    period, scale = cfg.adversarial.discriminators.period, cfg.adversarial.discriminators.scale
    assert (period.periods, period.divide, scale.scales, scale.divide) == ((2, 3, 5, 7, 11), 1, 3, 1)
    # 12,950 training clips in whole batches of 16: the rate shrinks by a thousandth after each epoch.
    factors = [learning_rate_factor(cfg.train.schedule, step, cfg.train.max_steps) for step in (1, 809, 810)]
    assert factors == [1, 1, 0.999] and 12_950 // 16 == 809


def test_listing_the_recipe_imports_neither_torch_nor_the_speech_stack() -> None:
    heavy = {"torch", "librosa", "lhotse", "pyworld", "scipy", "accelerate", "matplotlib", "pesq", "pystoi"}
    code = f"import sys, recipes.vocoder.hifigan; print(*{heavy!r} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
    assert all((each.function.__doc__ or "").strip() for each in RECIPE.stages)

"""The configurations in egs: all can be read, and the arms differ in nothing but the objective."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from recipes.lipreading.compare import RECIPE as COMPARE
from recipes.lipreading.compare.collect import EQUAL
from recipes.lipreading.pcpg import RECIPE
from speechkd.config import jsonable, load_config

ROOT = Path(__file__).resolve().parents[3]
ARMS = ("more", "terminal", "reward_to_go", "pcpg1", "pcpg3", "pcpg5", "pcpg8")


def conf(corpus: str, name: str) -> Any:
    where = [] if corpus == "talker" else ["corpus.dir=CORPUS"]
    return load_config(ROOT / f"egs/{corpus}/lipread1/conf/{name}.yaml", RECIPE.config, where)


@pytest.mark.parametrize("corpus", ["grid", "talker"])
def test_arms_are_equal_but_for_their_objective(corpus: str) -> None:
    settings = [jsonable(conf(corpus, arm)) for arm in ARMS]
    for other in settings[1:]:
        assert all(other[name] == settings[0][name] for name in EQUAL)
    objectives = [(each["objective"]["name"], each["objective"].get("kernel")) for each in settings]
    named = [("ce", None), ("terminal", None), ("reward_to_go", None)]
    assert objectives == [*named, *(("pcpg", kernel) for kernel in (1, 3, 5, 8))]
    weights = [each["objective"]["weight"] for each in settings[1:]]
    assert all(each == weights[0] for each in weights) and weights[0]["end"] == 0.5
    assert weights[0]["to_step"] == 0.2 * settings[0]["train"]["max_steps"], "a fifth of the steps, as specified"
    assert len({each["run"]["dir"] for each in settings}) == len(ARMS)


@pytest.mark.parametrize("corpus", ["grid", "talker"])
def test_arms_continue_from_cross_entropy_with_its_model(corpus: str) -> None:
    start, arm = conf(corpus, "ce"), conf(corpus, "pcpg5")
    assert arm.init.path == start.run.dir / "model" and arm.run.base == start.run.dir
    assert arm.model == start.model and arm.augment == start.augment
    assert (start.model.crop.height, start.model.crop.width) == (start.video.height, start.video.width)


@pytest.mark.parametrize("corpus", ["grid", "talker"])
def test_the_comparison_names_what_the_script_runs(corpus: str) -> None:
    cfg = load_config(ROOT / f"egs/{corpus}/lipread1/conf/compare.yaml", COMPARE.config)
    script = (ROOT / f"egs/{corpus}/lipread1/arms.sh").read_text()
    assert tuple(cfg.arms) == ARMS and f"for arm in {' '.join(ARMS)}; do" in script
    folder = conf(corpus, "ce").run.dir
    assert cfg.start == folder
    assert [each.path for each in cfg.runs] == [folder.parent / f"{arm}-{seed}" for arm in ARMS for seed in (1, 2, 3)]


def test_the_paper_preset_has_the_specified_sizes() -> None:
    cfg = conf("grid", "ce_paper").model
    assert (cfg.frontend.name, cfg.frontend.features, cfg.encoder.hidden, cfg.encoder.layers) == ("paper", 512, 256, 2)
    assert (cfg.decoder.hidden, cfg.decoder.embedding, cfg.dropout) == (512, 128, 0.3)

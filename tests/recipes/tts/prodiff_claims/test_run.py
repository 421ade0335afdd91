"""The recipe from finished runs to the table."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from recipes.tts.common.claims.systems import System
from recipes.tts.prodiff_claims import RECIPE
from recipes.tts.prodiff_claims.names import COMPARED, LAST_PART, SYSTEMS
from recipes.tts.prodiff_claims.rows import CLAIMS
from speechkd.config import ConfigErrors, load_config
from speechkd.errors import ConfigError
from speechkd.metrics.cepstra import mel_distortion_db
from speechkd.metrics.speech import mel_l1
from speechkd.runner import RunOptions, list_stages, run_recipe
from tests.recipes.tts.prodiff_claims.runs import CHAIN, ROOT, all_runs

SHIPPED = sorted(ROOT.glob("egs/*/tts1/conf/prodiff_claims.yaml"))
STEPS = [1, 2, 4, 8]
QUICK = f"""
vocoder: {{n_iter: 2}}
chains: {{steps: {STEPS}, utterances: 2}}
targets: {{utterances: 2, noises: 3}}
diversity: {{bins: 5, fitted_frames: 400, utterances: 2, noises: 2}}
speed: {{frames: [20, 40], rounds: 2, warm_up: 1}}
speakers: {{recordings: 5}}
results: {{table: CLAIMS.md}}
"""


def configured(folder: Path, name: str, runs: dict[str, Path], more: str = "") -> Any:
    path = folder / f"{name}.yaml"
    systems = json.dumps({key: str(path) for key, path in runs.items()})
    path.write_text(
        f"base: {ROOT}/recipes/tts/prodiff_claims/conf/claims.yaml\nrun: {{dir: {name}}}\n"
        f"corpus: {{name: own, title: Test}}\nsystems: {systems}\n{QUICK.replace('CLAIMS.md', f'{name}.md')}{more}\n"
    )
    return load_config(path, RECIPE.config)


def run(cfg: Any, **options: Any) -> None:
    run_recipe(RECIPE, cfg, RunOptions(**options), Console(file=io.StringIO()))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    pytest.importorskip("espeakng_loader")
    return all_runs(tmp_path_factory.mktemp("prodiff_claims"))


@pytest.fixture(scope="module")
def folder(runs: dict[str, Path]) -> Path:
    """A finished run of the recipe over all systems; `claims.md` beside it."""
    folder = runs["teacher"].parent
    run(configured(folder, "claims", runs, "causes: {told_apart: nothing was learned}"))
    return folder


def evidence(folder: Path, stage: str) -> Any:
    return json.loads((folder / "claims" / stage / f"{stage}.json").read_text())


def test_every_claim_is_a_row_with_a_figure(folder: Path) -> None:
    text = (folder / "claims.md").read_text()
    assert text.startswith("# Claims: Test\n") and "stage `table`" in text
    rows = [line for line in text.splitlines() if line.startswith("|") and "run.sh" in line]
    assert [claim.says for claim in CLAIMS] == [line.split(" | ")[0].removeprefix("| ") for line in rows]
    assert "not measured" not in text
    assert all(line.split(" | ")[3].split(";")[0] in {"yes", "**no**", "within noise"} for line in rows)
    assert (folder / "claims" / "table" / "CLAIMS.md").read_text() == text


def test_the_report_has_its_pictures(folder: Path) -> None:
    page = (folder / "claims/table/report.html").read_text()
    for name in ("steps.png", "variance.png", "latency.png"):
        assert f'src="pictures/{name}"' in page
        assert (folder / "claims/table/pictures" / name).read_bytes().startswith(b"\x89PNG")
    assert "Preliminary study" in page and "Seconds" in page


def test_errors_by_steps_are_those_of_the_models_themselves(folder: Path, runs: dict[str, Path]) -> None:
    found = evidence(folder, "chains")
    assert found["steps"] == STEPS and set(found["systems"]) == {"gradient", "generator"}
    system = System("generator", runs["generator"])
    assert system.model().step_counts[-1] == CHAIN
    ids = system.ids("test")
    for place, id_ in enumerate(ids):
        arrays = system.store("features").arrays(id_)
        tokens = torch.from_numpy(system.encoded(system.tokens(id_)))[None]
        durations = torch.from_numpy(arrays["durations"].astype(np.int64))[None]
        for steps in (2, CHAIN):
            mel = system.model().infer(
                tokens, torch.tensor([tokens.shape[1]]), durations=durations, n_steps=steps, deterministic=True
            ).mel[0].numpy()  # fmt: skip
            row = found["systems"]["generator"][str(steps)]
            assert row["mel_l1"][place] == pytest.approx(mel_l1(arrays["mel"], mel), rel=1e-5)
            assert row["mcd_db"][place] == pytest.approx(mel_distortion_db(arrays["mel"], mel), rel=1e-5)


def test_steps_that_a_chain_has_not_are_refused(folder: Path, runs: dict[str, Path]) -> None:
    for steps in ("[2, 3, 8]", "[1, 2, 4]"):
        configured(folder, "wrong", runs)
        cfg = load_config(folder / "wrong.yaml", RECIPE.config, [f"chains.steps={steps}"])
        run(cfg, only="systems")
        with pytest.raises(ConfigError, match="the model of gradient cannot be compared in .* 1, 2, 4, 8 divide it"):
            run(cfg, only="chains")


def test_figures_of_every_utterance_by_system(folder: Path) -> None:
    found = evidence(folder, "quality")
    assert set(found["systems"]) == {*COMPARED, "recordings", "released sampler"}
    assert found["systems"]["released sampler"] != found["systems"]["student"]
    assert all(len(values) == 2 for row in found["systems"].values() for values in row.values())
    assert set(found["losses"]) == {"teacher", "student", "direct"}
    for name in ("teacher", "direct"):
        assert found["losses"][name]["own"] == found["losses"][name]["recording"]
    assert found["losses"]["student"]["own"] != found["losses"]["student"]["recording"]


def test_variances_and_half_precision(folder: Path) -> None:
    row = evidence(folder, "targets")["systems"]["teacher"]
    assert set(row["mean"]) == {"targets", "around_targets", "around_fastspeech2"}
    for name, values in row["by_bin"].items():
        assert len(values) == 80 and np.mean(values) == pytest.approx(row["mean"][name], abs=1e-5)
    # What an unlearned network says hardly depends on the noise; recordings are far from any model of it.
    assert 0 <= row["mean"]["targets"] < row["mean"]["around_fastspeech2"]
    assert 0 < row["half"]["mixture"] < row["half"]["subtraction"]


def test_diversity_is_measured_of_all(folder: Path) -> None:
    found = evidence(folder, "diversity")
    assert set(found["systems"]) == {"teacher", "student", "direct"} and set(found["spread"]) == set(COMPARED)
    assert all(min(row["pairwise_l1"]) > 0 for row in found["systems"].values())
    assert len({row["frames"] for row in found["spread"].values()}) == 1  # all with the recordings' durations
    assert all(0 <= row["divergence"] <= 1 and row["different_bins"] <= 5 for row in found["spread"].values())


def test_parts_and_wholes_are_timed(folder: Path) -> None:
    speed = evidence(folder, "speed")
    assert set(speed["ways"]) == {*LAST_PART, *LAST_PART.values()}
    for name, parts in speed["ways"].items():
        assert {len(row["seconds"]) for row in parts["mel"]["by_frames"].values()} == {2}
        assert bool(parts["total"]["by_frames"]) == (name in LAST_PART)
    for name, part in LAST_PART.items():
        assert speed["networks"][part]["parameters"] < speed["networks"][name]["parameters"]


def test_each_speaker_is_compared_with_a_model_of_its_own(folder: Path, runs: dict[str, Path]) -> None:
    found = evidence(folder, "speakers")
    rows = found["systems"]["joined"]
    assert set(rows) == {"ann", "ben"} and {row["alone"] for row in rows.values()} == {"student", "second"}
    for who, prefix in (("ann", "MINI-"), ("ben", "BEN-")):
        held_out = [set(System(name, runs[name]).store("samples").ids) for name in ("joined", rows[who]["alone"])]
        both = set.intersection(*held_out)
        assert len(rows[who]["joined_db"]) == len(rows[who]["alone_db"]) == len(both) > 0
        assert all(id_.startswith(prefix) for id_ in both)
    assert found["told_apart"]["of_each"] == 4 and set(found["told_apart"]["spoken"]) == {"ann", "ben"}
    assert found["told_apart"]["recordings"] == 4  # the voices differ in every frequency


def test_it_is_fresh_when_it_is_finished(folder: Path, runs: dict[str, Path]) -> None:
    cfg = configured(folder, "claims", runs, "causes: {told_apart: nothing was learned}")
    assert all(each.fresh for each in list_stages(RECIPE, cfg))


def test_without_any_run_all_rows_say_why(tmp_path: Path) -> None:
    run(configured(tmp_path, "claims", {name: tmp_path / "exp" / name for name in SYSTEMS[:6]}))
    text = (tmp_path / "claims.md").read_text()
    assert text.count("not measured: ") == len(CLAIMS)
    assert "not measured: there is no finished run of gradient" in text
    assert "not measured: systems.joined is not given" in text


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.parents[2].name)
def test_shipped_configurations_load(path: Path) -> None:
    cfg: Any = load_config(path, RECIPE.config)
    corpus = path.parents[2].name
    assert cfg.recipe == RECIPE.name and cfg.corpus.name == corpus
    assert cfg.run.dir == ROOT / "exp" / corpus / "prodiff_claims"
    assert cfg.results.table == path.parents[1] / "PRODIFF_CLAIMS.md"
    for name in SYSTEMS:
        folder = getattr(cfg.systems, name)
        if folder is not None:
            where, *conf = folder.relative_to(ROOT / "exp").parts
            assert (ROOT / "egs" / where / "tts1/conf" / f"{'/'.join(conf)}.yaml").is_file(), name


def test_kathleens_claims_are_about_all_systems() -> None:
    cfg: Any = load_config(ROOT / "egs/kathleen/tts1/conf/prodiff_claims.yaml", RECIPE.config)
    assert None not in [getattr(cfg.systems, name) for name in SYSTEMS]
    assert cfg.chains.steps == (2, 4, 8, 16, 32, 64, 128) and cfg.diversity.bins == 50 and cfg.targets.noises == 8
    assert [path.parents[2].name for path in SHIPPED] == ["kathleen", "mini"]


@pytest.mark.parametrize(
    ("more", "message"),
    [("causes: {weather: rain}", r"causes\.weather"), ("chains: {steps: [4, 2, 8]}", "chains.steps.*must rise")],
)  # fmt: skip
def test_mistakes_are_named(tmp_path: Path, more: str, message: str) -> None:
    text = "recipe: tts/prodiff_claims\nrun: {dir: x}\ncorpus: {name: own}\nsystems: {}\n"
    (tmp_path / "conf.yaml").write_text(f"{text}{more}\n")
    with pytest.raises(ConfigErrors, match=message):
        load_config(tmp_path / "conf.yaml", RECIPE.config)


def test_stages_say_what_they_do() -> None:
    names = "systems chains quality targets diversity speed speakers table".split()
    assert [stage.name for stage in RECIPE.stages] == names
    assert all((stage.function.__doc__ or "").strip() for stage in RECIPE.stages)

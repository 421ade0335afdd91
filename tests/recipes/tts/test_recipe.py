"""The FastSpeech 2 recipe: shipped configurations, the stage list, and the flow of data from text to a voice."""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from recipes.tts.common.corpora.mini import speak_mini_corpus
from recipes.tts.common.infer import SYSTEMS
from recipes.tts.common.options import TtsConfig
from recipes.tts.fastspeech2 import RECIPE
from speechkd.cli.recipes import load
from speechkd.config import ConfigErrors, load_config
from speechkd.runner import ItemStore, RunOptions, list_stages, run_recipe

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = sorted(ROOT.glob("egs/*/tts1/conf/**/*.yaml"))
NAMES = [path.relative_to(ROOT / "egs").as_posix() for path in SHIPPED]
STAGES = ["prepare", "tokenize", "align", "extract", "train", "infer", "score", "pack", "results"]
N_UTTERANCES = 10


def corpus_and_name(path: Path) -> tuple[str, str]:
    """Of egs/CORPUS/tts1/conf/NAME.yaml; a name may lie in a folder of names."""
    corpus, _, _, *name = path.relative_to(ROOT / "egs").with_suffix("").parts
    return corpus, "/".join(name)


@pytest.mark.parametrize("path", SHIPPED, ids=NAMES)
def test_every_shipped_configuration_loads(path: Path) -> None:
    recipe, cfg = load(path, [])
    assert cfg.recipe == recipe.name
    corpus, name = corpus_and_name(path)
    assert cfg.run.dir == ROOT / "exp" / corpus / name
    if isinstance(cfg, TtsConfig):
        assert cfg.corpus.licence and cfg.corpus.speaker
        assert cfg.results.conf == name, "the table would show another command"
        assert cfg.train.schedule.warmup_steps <= cfg.train.max_steps  # type: ignore[attr-defined]


def test_configurations_were_found() -> None:
    assert {"kathleen", "ljspeech", "mini"} <= {corpus_and_name(path)[0] for path in SHIPPED}


@pytest.mark.parametrize("path", SHIPPED, ids=NAMES)
def test_every_corpus_has_its_run_script(path: Path) -> None:
    script = ROOT / "egs" / corpus_and_name(path)[0] / "tts1" / "run.sh"
    lines = script.read_text().splitlines()
    assert lines[0].startswith("#!") and len(lines) <= 10
    assert script.stat().st_mode & 0o111, f"{script} is not executable"


def test_the_papers_sizes_schedule_and_inputs(tmp_path: Path) -> None:
    """FastSpeech 2 (ICLR 2021), sections 2 and 3.1."""
    (tmp_path / "paper.yaml").write_text(
        f"base: {ROOT}/recipes/tts/fastspeech2/conf/paper.yaml\n"
        "run: {dir: run}\ncorpus: {name: mini}\npack: {name: x}\n"
    )
    cfg: Any = load_config(tmp_path / "paper.yaml", RECIPE.config)
    model, train = cfg.model, cfg.train
    for stack in (model.encoder, model.decoder):
        assert (stack.layers, stack.heads, stack.conv_channels, stack.conv_kernel, stack.dropout) == (
            4,
            2,
            1024,
            9,
            0.1,
        )
    assert (model.hidden, model.predictor.kernel, model.predictor.dropout) == (256, 3, 0.5)
    assert (model.pitch.target, model.pitch.level, model.pitch.bins) == ("cwt", "frame", 256)
    assert (model.energy.level, model.energy.bins) == ("frame", 256)
    assert (train.max_steps, train.optimizer.betas, train.optimizer.eps) == (160_000, (0.9, 0.98), 1e-9)
    assert train.optimizer.weight_decay == 0 and train.ema_decay == 0
    assert train.optimizer.learning_rate == pytest.approx(256**-0.5 * 4000**-0.5, rel=1e-3)


def test_stages_and_what_flows_between_them() -> None:
    assert [stage.name for stage in RECIPE.stages] == STAGES
    volatile = {output.name for stage in RECIPE.stages for output in stage.outputs if output.volatile}
    assert volatile == {"timing", "results"}
    for stage in RECIPE.stages:
        assert (stage.function.__doc__ or "").strip(), stage.name


def test_listing_a_recipe_imports_neither_torch_nor_the_speech_stack() -> None:
    heavy = {"torch", "librosa", "lhotse", "pyworld", "pocketsphinx", "scipy", "accelerate", "matplotlib"}
    code = f"import sys, recipes.tts.fastspeech2; print(*{heavy!r} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


class Bench:
    """A tiny run of the whole recipe: ten sentences, four steps, a vocoder without weights."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run_dir = folder / "run"
        self.config = folder / "conf.yaml"
        fft = "{layers: 1, heads: 1, conv_channels: 16, conv_kernel: 3}"
        self.config.write_text(
            f"""
base: {ROOT}/egs/mini/tts1/conf/fastspeech2.yaml
run: {{dir: run}}
corpus: {{limit: {N_UTTERANCES}}}
split: {{valid: 1, test: 2}}
align: {{backend: given, folder: mini/TextGrid}}
model: {{hidden: 16, encoder: {fft}, decoder: {fft}, predictor: {{channels: 8}}}}
train: {{max_steps: 4, schedule: {{warmup_steps: 2}}, log_every_steps: 2, valid_every_steps: 2,
        checkpoint_every_steps: 2, device: cpu, precision: fp32}}
vocoder: {{type: griffinlim, n_iter: 4}}
score: {{recogniser: false}}
results: {{table: RESULTS.md, label: toy}}
"""
        )

    def cfg(self, *overrides: str) -> Any:
        return load_config(self.config, RECIPE.config, overrides)

    def run(self, *overrides: str, **options: Any) -> str:
        """Run the recipe; returns what stood on the console."""
        out = io.StringIO()
        run_recipe(RECIPE, self.cfg(*overrides), RunOptions(**options), Console(file=out, width=200))
        return out.getvalue()

    def states(self, *overrides: str) -> dict[str, str]:
        return {status.name: status.text for status in list_stages(RECIPE, self.cfg(*overrides))}

    def files(self) -> dict[str, tuple[int, int]]:
        return {str(path): (path.stat().st_mtime_ns, path.stat().st_ino) for path in self.run_dir.rglob("*")}

    def json(self, name: str) -> Any:
        return json.loads((self.run_dir / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A finished run."""
    pytest.importorskip("espeakng_loader")
    bench = Bench(tmp_path_factory.mktemp("recipe"))
    (bench.folder / "mini").mkdir()
    speak_mini_corpus(bench.folder / "mini", N_UTTERANCES)
    bench.run()
    return bench


def test_a_second_run_executes_nothing(bench: Bench) -> None:
    assert set(bench.states().values()) == {"fresh"}
    before = bench.files()
    console = bench.run()
    assert "running" not in console and console.count("fresh") == len(STAGES)
    assert bench.files() == before


def test_nobody_is_lost_on_the_way(bench: Bench) -> None:
    splits = bench.json("manifest/splits.json")
    assert {name: len(ids) for name, ids in splits.items()} == {"train": 7, "valid": 1, "test": 2}
    everyone = sorted(itertools.chain(*splits.values()))
    assert everyone == [f"MINI-{number:03d}" for number in range(1, N_UTTERANCES + 1)]
    for artifact in ("tokens", "alignment", "spoken", "features"):
        store = ItemStore(bench.run_dir / artifact)
        assert sorted(store.ids) == everyone and not store.errors
    for artifact in ("samples", "scores"):
        assert sorted(ItemStore(bench.run_dir / artifact).ids) == sorted(splits["test"])


def test_features_fit_together(bench: Bench) -> None:
    features, tokens = (ItemStore(bench.run_dir / name) for name in ("features", "spoken"))
    for id_ in features.ids:
        arrays, n_frames = features.arrays(id_), features.meta(id_)["n_frames"]
        assert arrays["mel"].shape == (n_frames, 80)
        assert arrays["f0_hz"].shape == arrays["energy"].shape == (n_frames,)
        assert len(arrays["durations"]) == len(tokens.meta(id_)["symbols"])
        assert arrays["durations"].sum() == n_frames
        assert 0.3 < np.mean(arrays["f0_hz"] > 0) < 0.9


def test_durations_are_those_of_the_given_alignment(bench: Bench) -> None:
    """Token boundaries lie within half a hop of espeak-ng's own times."""
    features, tokens, alignment = (ItemStore(bench.run_dir / name) for name in ("features", "spoken", "alignment"))
    hop_s = 256 / 22_050
    for id_ in features.ids:
        ends_s = np.cumsum(features.array(id_, "durations")) * hop_s
        spoken = [end for _, end, label in alignment.meta(id_)["phones"] if label]
        phones = [end for end, word in zip(ends_s, tokens.meta(id_)["word_index"], strict=True) if word >= 0]
        np.testing.assert_allclose(phones, spoken, atol=hop_s / 2 + 1e-6)


def test_the_history_is_one_json_object_per_line(bench: Bench) -> None:
    rows = [json.loads(line) for line in (bench.run_dir / "model" / "history.jsonl").read_text().splitlines()]
    assert [(row["kind"], row["step"]) for row in rows] == [("train", 2), ("valid", 2), ("train", 4), ("valid", 4)]
    assert all(
        np.isfinite([row[name] for name in ("mel", "duration", "pitch", "energy", "loss")]).all() for row in rows
    )


def test_samples_scores_and_table(bench: Bench) -> None:
    test = bench.json("manifest/splits.json")["test"]
    for system in SYSTEMS:
        assert sorted(path.stem for path in (bench.run_dir / "samples" / system).iterdir()) == sorted(test)
    scores = bench.json("scores/scores.json")
    # Four steps teach nothing: copy synthesis must be nearer to the recording than the model.
    assert scores["copy"]["mcd_dtw_db"] < scores["predicted"]["mcd_dtw_db"]
    assert scores["utterances"] == 2 and "word_error_rate" not in scores["predicted"]
    table = (bench.folder / "RESULTS.md").read_text(encoding="utf-8")
    assert table == (bench.run_dir / "results" / "RESULTS.md").read_text(encoding="utf-8")
    assert f"{scores['predicted']['mcd_dtw_db']:.2f}" in table and "## toy" in table
    report = (bench.run_dir / "results" / "report.html").read_text(encoding="utf-8")
    for id_ in test:
        for system in SYSTEMS:
            assert f"samples/{system}/{id_}.wav" in report
        assert (bench.run_dir / "results" / "pictures" / f"{id_}.png").is_file()


def test_words_outside_the_lexicon_are_listed(bench: Bench) -> None:
    with (bench.run_dir / "tokens" / "oov.tsv").open(encoding="utf-8") as file:
        assert list(csv.reader(file, delimiter="\t")) == [["word", "phones", "source"]]


def test_the_packed_voice_speaks_without_the_run(bench: Bench) -> None:
    from speechkd.synthesis import load_voice

    voice = load_voice(bench.run_dir / "voice")
    speech = voice.synthesize("Hello there.")
    assert speech.sample_rate == 22_050 and np.isfinite(speech.samples).all() and np.abs(speech.samples).max() > 0
    assert [word.text.lower() for word in speech.words] == ["hello", "there"]
    slower = voice.synthesize("Hello there.", speed=0.5)
    assert len(slower.samples) >= len(speech.samples)
    np.testing.assert_array_equal(voice.synthesize("Hello there.").samples, speech.samples)
    card = (bench.run_dir / "voice" / "card.md").read_text(encoding="utf-8")
    assert "Apache-2.0" in card and "espeak-ng" in card
    scores = json.loads((bench.run_dir / "scores" / "scores.json").read_text())
    assert f"| MCD-DTW (dB) | {scores['predicted']['mcd_dtw_db']:.2f} |" in card
    told = re.search(r"- command: (`.*`)", (bench.run_dir / "results" / "RESULTS.md").read_text())
    assert told and f"| command | {told[1]} |" in card


def test_a_learning_rate_makes_training_and_what_follows_stale(bench: Bench) -> None:
    states = bench.states("train.optimizer.learning_rate=0.001")
    assert [name for name, text in states.items() if text == "fresh"] == STAGES[: STAGES.index("train")]
    assert "stale: train.optimizer.learning_rate" in states["train"] and "0.002 → 0.001" in states["train"]
    assert "input model will be rebuilt" in states["infer"]


def test_another_aligner_makes_alignment_and_its_dependants_stale(bench: Bench) -> None:
    states = bench.states("align={backend: pocketsphinx}")
    assert [name for name, text in states.items() if text == "fresh"] == ["prepare", "tokenize"]
    assert states["align"].startswith("stale: ") and "align.backend given → pocketsphinx" in states["align"]
    assert "input alignment will be rebuilt" in states["extract"]


@pytest.mark.parametrize(
    ("override", "first"),
    [("corpus.limit=9", "prepare"), ("audio.loudness_dbfs=-22", "extract"), ("features.f0=harvest", "extract"),
     ("model.hidden=32", "train"), ("vocoder.n_iter=5", "infer"), ("pack.name=other", "pack"),
     ("results.label=other", "results")],
)  # fmt: skip
def test_a_change_goes_no_further_up_than_it_must(bench: Bench, override: str, first: str) -> None:
    states = bench.states(override)
    assert next(name for name, text in states.items() if text != "fresh") == first


def test_the_same_run_again_gives_the_same_bytes(bench: Bench, tmp_path: Path) -> None:
    again = Bench(tmp_path)
    (tmp_path / "mini").symlink_to(bench.folder / "mini")
    again.run(stop_stage="pack")
    for artifact in ("manifest", "tokens", "alignment", "spoken", "features", "model", "samples", "scores", "voice"):
        ours, theirs = (
            {
                path.relative_to(run / artifact): path.read_bytes()
                for path in (run / artifact).rglob("*")
                if path.is_file()
            }
            for run in (again.run_dir, bench.run_dir)
        )
        assert ours.keys() == theirs.keys()
        assert not [str(path) for path in ours if ours[path] != theirs[path]], artifact


def test_mistakes_are_named_before_anything_runs(bench: Bench) -> None:
    with pytest.raises(ConfigErrors, match=r"model\.pitch\.level"):
        bench.cfg("model.pitch={target: cwt, level: phoneme}")
    with pytest.raises(ConfigErrors, match="mini corpus"):
        bench.cfg("corpus.dir=/tmp")
    with pytest.raises(ConfigErrors, match="hifigan_22k"):
        bench.cfg("audio.mel=hifigan_44k")

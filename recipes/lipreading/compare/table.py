"""The table of arms: error rates over seeds, how sure their differences are, and the paper's figures beside them."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from recipes.lipreading.common.pages import sentences_table, write_page
from recipes.lipreading.compare.collect import COLLECTED
from recipes.lipreading.compare.gradients import SENTENCE, STUDY, TO_GO
from recipes.lipreading.pcpg.evaluate import BEAM, GREEDY, errors_of
from recipes.tts.common.table import Section, update_table
from speechkd.metrics.edits import Difference, TextErrors, paired_bootstrap, rank_correlation
from speechkd.runner import Context
from speechkd.runner.publish import write_file

Runs = Sequence[Mapping[str, Any]]
PAPER = (
    ("GRID, WER", "11.2 %", "another split (of unseen speakers, by its size) and 33 speakers"),
    ("LRW, words right", "83.5 %", "500 words of television; the data needs a signed licence"),
    ("LRW-1000, words right", "38.7 %", "1000 Mandarin words of television; the data needs a signed licence"),
)
COMPARABLE = (
    "none of the paper's figures is of this corpus and split: what can be compared is the direction, cross-entropy > "
    "policy gradient > PCPG in errors. The paper's kernel, stride, reward and weights are not published"
)


def run(cfg: Any, ctx: Context) -> None:
    """Write `table`: RESULTS.md, report.html; and the file named by results.table."""
    runs = json.loads((ctx.input("collected") / COLLECTED).read_text(encoding="utf-8"))
    study = json.loads((ctx.input("gradients") / STUDY).read_text(encoding="utf-8"))
    arms = {name: [each for each in runs if each["arm"] == name] for name in cfg.arms}
    sections = (
        arms_section(cfg, arms),
        gauges_section(cfg, arms),
        gradient_section(cfg, study),
        published_section(cfg),
    )
    out, title = ctx.output("table"), f"Lip reading: {cfg.corpus.title or cfg.corpus.name}"
    table = cfg.results.table
    text = table.read_text(encoding="utf-8") if table is not None and table.is_file() else ""
    for section in sections:
        text = update_table(text, title, section)
    (out / "RESULTS.md").write_text(text, encoding="utf-8")
    if table is not None:
        write_file(table, text.encode())
    body = "".join(f"<h2>{cfg.arms[name]}</h2>{sentences_table(found[0]['sentences'])}" for name, found in arms.items())
    write_page(out / "report.html", title, sections, body)
    ctx.log.info("table: %s", table or ctx.folder.artifact("table") / "RESULTS.md")


def arms_section(cfg: Any, arms: Mapping[str, Runs]) -> Section:
    """Error rates by arm: mean and deviation over seeds; and the difference from the baseline."""
    baseline = arms[cfg.baseline]
    ways = [(way, unit) for way in (GREEDY, BEAM) for unit in ("cer", "wer")]
    header = [
        "objective",
        *(f"{unit.upper()}, {way}" for way, unit in ways),
        "CER, greedy, − first",
        "verdict",
    ]
    rows = []
    for name in sorted(arms, key=lambda name: name != cfg.baseline):
        cells = [spread([each["scores"]["systems"][way][unit] for each in arms[name]]) for way, unit in ways]
        compared = [] if name == cfg.baseline else against(cfg, arms[name], baseline)
        rows.append([f"{cfg.arms[name]}, {len(arms[name])} seeds", *cells, *(compared or ["", ""])])
    first = baseline[0]
    facts = [
        (
            "equal in all",
            f"start, {first['steps']} steps, batches, augmentation, {first['scores']['clips']} clips",
        ),
        ("the start", f"`{cfg.start.name}`"),
        ("± over seeds", "the deviation of a seed; none with one seed"),
        (
            "intervals",
            f"95 %, paired bootstrap: {cfg.bootstrap.resamples} resamples of sentences, all seeds together",
        ),
        ("verdict", "no difference, unless 0 is outside of the interval and every seed agrees with its sign"),
        ("the best of several arms", "is chosen on the clips that it is reported on: take its gain as an upper bound"),
    ]
    return Section(cfg.results.label, header, rows, facts)


def spread(values: Sequence[float]) -> str:
    """Mean, and deviation where there are several."""
    mean = f"{100 * statistics.fmean(values):.2f} %"
    return f"{mean} ± {100 * statistics.stdev(values):.2f}" if len(values) > 1 else mean


def against(cfg: Any, arm: Runs, baseline: Runs) -> list[str]:
    """The difference from the baseline in CER, read greedily, with its interval, and what may be said of it."""
    found = paired_bootstrap(summed(arm), summed(baseline), cfg.bootstrap.resamples, cfg.bootstrap.seed)
    interval = f"{100 * found.value:+.2f} ({100 * found.low:+.2f} to {100 * found.high:+.2f})"
    return [interval, verdict(found, _by_seed(arm), _by_seed(baseline))]


def summed(arm: Runs) -> TextErrors:
    """Errors of each held-out sentence, all seeds together: sentences are what is resampled."""
    each = [errors_of(run["sentences"], GREEDY)[0] for run in arm]
    edits = np.mean([errors.edits for errors in each], axis=0)
    return TextErrors(edits, each[0].lengths)


def _by_seed(arm: Runs) -> dict[int, float]:
    return {run["seed"]: run["scores"]["systems"][GREEDY]["cer"] for run in arm}


def verdict(found: Difference, arm: Mapping[int, float], baseline: Mapping[int, float]) -> str:
    """better, worse, or no difference: the interval and every seed must agree."""
    gaps = [arm[seed] - baseline[seed] for seed in arm if seed in baseline]
    agree = bool(gaps) and all(gap * found.value > 0 for gap in gaps)
    if found.within_noise or not agree:
        return "no difference"
    return "better" if found.value < 0 else "worse"


def gauges_section(cfg: Any, arms: Mapping[str, Runs]) -> Section:
    """Exposure bias, lengths, and whether the objective follows the errors."""
    header = ["objective", "exposure bias (CER)", "characters per true one", "ended", "CE ~ CER", "-reward ~ CER"]
    rows = [
        [
            cfg.arms[name],
            spread([each["scores"]["bias"] for each in runs]),
            _mean(lambda each: each["scores"]["length"], runs),
            _mean(lambda each: each["scores"]["ended"], runs),
            _mean(lambda each: correlation(each, "loss", 1.0), runs),
            _mean(lambda each: correlation(each, "reward", -1.0), runs),
        ]
        for name, runs in arms.items()
    ]
    facts = [
        ("exposure bias", "CER read greedily, minus CER with the true characters before each"),
        ("~", "Spearman's rank correlation over the validations of a run, mean of the seeds; nan: nothing changed"),
        ("reward", "1 - CER by sentence, read greedily: its correlation with CER is high by its nature"),
    ]
    return Section(f"{cfg.results.label}: gauges", header, rows, facts)


def _mean(figure: Callable[[Mapping[str, Any]], float], runs: Runs) -> str:
    return f"{statistics.fmean(map(figure, runs)):.2f}"


def correlation(run: Mapping[str, Any], figure: str, sign: float) -> float:
    """Rank correlation of a figure with CER over the validations of a run."""
    rows = run["validations"]
    return rank_correlation([sign * row[figure] for row in rows], [row["cer"] for row in rows])


def gradient_section(cfg: Any, study: Mapping[str, Mapping[str, float]]) -> Section:
    """Cosine and variance of the estimators."""
    names = {SENTENCE: "sentence return (1 - CER)", TO_GO: "reward to go"}
    rows = [
        [names.get(name, f"windows, k = {name[1:]}, s = 1"), f"{each['cosine']:.3f}", f"{each['variance']:.1f}"]
        for name, each in study.items()
    ]
    how = cfg.gradients
    facts = [
        ("measured", f"at the start, {how.clips} clips, {how.samples} sentences each, at the decoder's last layer"),
        (
            "cosine",
            "with the mean gradient of as many other sentences, sentence return: the first row is noise",
        ),
        ("variance", "of one sentence, in squared norms of the estimator's own mean gradient"),
        ("reward", how.reward),
    ]
    return Section(f"{cfg.results.label}: gradients", ["estimator", "cosine", "variance"], rows, facts)


def published_section(cfg: Any) -> Section:
    """What the paper is cited with."""
    facts = [
        ("comparable", COMPARABLE),
        ("source", "third parties that list Luo et al., FG 2020"),
    ]
    return Section(f"{cfg.results.label}: published", ["benchmark", "PCPG", "not measured here because"], PAPER, facts)

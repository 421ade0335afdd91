"""`speechkd align`: when every word and phone of a corpus is said, as TextGrids."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from speechkd.align.compare import Comparison
    from speechkd.align.options import GivenOptions, PocketsphinxOptions

FAILURES = "failures.jsonl"


def align(
    source: Annotated[Path, typer.Argument(metavar="CORPUS", help="Corpus folder (with --compare: TextGrids).")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for the TextGrids (with --compare: others).")],
    backend: Annotated[
        str, typer.Option(help="pocketsphinx, or given: check TextGrids that you bring.")
    ] = "pocketsphinx",
    given: Annotated[Path | None, typer.Option(help="Folder of your TextGrids, for --backend given.")] = None,
    lexicon: Annotated[Path | None, typer.Option(help="Your own pronunciations.")] = None,
    corpus: Annotated[str, typer.Option(help="Name of the corpus layout.")] = "ljspeech",
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    compare: Annotated[bool, typer.Option("--compare", help="Compare two folders of TextGrids instead.")] = False,
) -> None:
    """Align CORPUS and write one TextGrid per utterance to OUT; exits with 3 when some fail (see failures.jsonl)."""
    console = Console(highlight=False, soft_wrap=True)
    if compare:
        from speechkd.align.compare import compare_alignments

        _print_comparison(console, compare_alignments(source, out))
        return
    failed, total = _align_corpus(source, out, _options(backend, given), corpus, jobs, lexicon)
    console.print(f"{total - failed} of {total} aligned to {out}", markup=False)
    if failed:
        console.print(f"{failed} failed: see {out / FAILURES}", markup=False)
        raise typer.Exit(3)


def _options(backend: str, given: Path | None) -> PocketsphinxOptions | GivenOptions:
    from speechkd.align.options import GivenOptions, PocketsphinxOptions
    from speechkd.errors import UsageError

    if backend == "pocketsphinx":
        return PocketsphinxOptions()
    if backend != "given":
        raise UsageError(f"No aligner is called {backend!r}", todo="Choose pocketsphinx or given.")
    if given is None:
        raise UsageError("Backend given needs TextGrids", todo="Add --given FOLDER.")
    return GivenOptions(folder=given.absolute())


def _align_corpus(
    source: Path,
    out: Path,
    options: PocketsphinxOptions | GivenOptions,
    corpus: str,
    jobs: int,
    lexicon: Path | None,
) -> tuple[int, int]:
    """Align what can be aligned; (failed, all), where lines that cannot be read count as failed."""
    from rich.progress import Progress

    from recipes.tts.common.corpora import read_corpus
    from speechkd.align.corpus import Failure, align_corpus
    from speechkd.data.corpus import Severity

    found = read_corpus(corpus, source)
    unusable = [Failure(p.id, str(p)) for p in found.problems if p.severity is Severity.ERROR]
    rows = [(utterance.id, utterance.text, utterance.audio_path) for utterance in found.utterances]
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("aligning", total=len(rows))
        failures = align_corpus(rows, out, options, jobs, lexicon, lambda: bar.advance(task))
    lines = [json.dumps({"id": f.id, "reason": f.reason}, ensure_ascii=False) for f in unusable + failures]
    (out / FAILURES).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return len(lines), len(rows) + len(unusable)


def _print_comparison(console: Console, comparison: Comparison) -> None:
    from rich.table import Table

    table = Table("word boundaries", *("number", "mean", "median", "bias", "≤ 10 ms", "≤ 20 ms", "≤ 50 ms"))
    for name, errors in (("starts", comparison.starts), ("ends", comparison.ends), ("both", comparison.both)):
        sizes = [f"{value:.1f} ms" for value in (errors.mean_ms, errors.median_ms)]
        shares = [f"{value:.1%}" for value in (errors.within_10_ms, errors.within_20_ms, errors.within_50_ms)]
        table.add_row(name, str(errors.boundaries), *sizes, f"{errors.bias_ms:+.1f} ms", *shares)
    console.print(table)
    alone = len(comparison.only_in_reference) + len(comparison.only_in_other)
    console.print(
        f"{comparison.utterances} utterances; {comparison.words_unmatched} words in one of the two only; "
        f"{alone} TextGrids in one folder only",
        markup=False,
    )

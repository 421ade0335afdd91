"""`speechkd finetune`: go on from a packed voice with other recordings."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from speechkd.cli.run import default_jobs
from speechkd.errors import UsageError

if TYPE_CHECKING:
    from speechkd.synthesis.manifest import VoiceManifest

_ODD = re.compile(r"[^A-Za-z0-9._-]+")


def finetune(
    voice: Annotated[Path, typer.Argument(help="Folder of the voice to start from.", show_default=False)],
    corpus: Annotated[
        str, typer.Argument(help="Folder of the recordings, or a corpus known by name.", show_default=False)
    ],
    out: Annotated[
        Path | None, typer.Option(help="The run's folder. [default: exp/finetuned/VOICE-CORPUS]", show_default=False)
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(min=1, help="Training steps. [default: 500; of a Transformer TTS 1000]", show_default=False),
    ] = None,
    speaker: Annotated[
        str, typer.Option(help="Of a voice of several: whom the new speaker starts from. [default: the mean]")
    ] = "",
    teacher: Annotated[
        Path | None,
        typer.Option(
            help="Of a FastSpeech: the folder `model` of a Transformer TTS fine-tuned on the same recordings.",
            show_default=False,
        ),
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a value: --set a.b=c")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes; results do not depend on it.")] = default_jobs(),
) -> None:
    """Teach a voice other recordings: writes a run folder's config.yaml and runs it.

    To go on after an interruption, type the same again, or: speechkd run OUT/config.yaml
    """
    from recipes.tts.common.finetune import KINDS, Request, configuration
    from speechkd.cli.finetune_files import all_or_nothing, new_config, vocoder_section
    from speechkd.cli.finetune_teacher import STUDENT, checked_teacher, no_teacher
    from speechkd.cli.recipes import load
    from speechkd.config import dump_config
    from speechkd.runner import RunOptions, run_recipe

    for each in overrides or []:
        if each.split("=")[0].strip() in ("run", "run.dir"):
            raise UsageError("the run's folder is that of --out", where=f"--set {each}", todo="Use --out")
    manifest = _checked_voice(voice)
    section, label = corpus_section(corpus)
    taught_by = checked_teacher(manifest, voice, section, teacher)
    if manifest.acoustic.model == STUDENT and taught_by is None:
        raise no_teacher(manifest, voice, corpus, label, _as_typed(out, steps, speaker, overrides or []))
    name = _ODD.sub("_", f"{manifest.name}-{label}")[:64]
    folder = out or Path("exp") / "finetuned" / name
    config = new_config(folder, voice, taught_by)
    length = steps or KINDS[manifest.acoustic.model].steps
    request = Request(manifest, voice, section, folder, name, length, speaker, taught_by)
    with all_or_nothing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        content = configuration(request, vocoder_section(manifest, voice, folder))
        config.write_text(_yaml(content), encoding="utf-8")
        recipe, cfg = load(config, overrides or [])
        # With the overrides, also where there is nothing to run.
        config.write_text(dump_config(cfg), encoding="utf-8")
    if taught_by is not None and _loses_words(voice, cfg.text.lexicon):
        typer.echo(
            "the voice's own words are left out: a student reads what its teacher reads (text.lexicon)", err=True
        )
    run_recipe(recipe, cfg, RunOptions(jobs=jobs))
    typer.echo(f"{folder / 'voice'}: the voice. Results: {folder / 'results' / 'RESULTS.md'}")


def corpus_section(corpus: str) -> tuple[dict[str, Any], str]:
    """The section `corpus`, and what the corpus is called. UsageError if there is none, DataError for a bad layout."""
    from recipes.tts.common.corpora import CORPORA, guess_corpus, known_kind

    folder = Path(corpus)
    if not folder.is_dir():
        kind = CORPORA.get(corpus)
        if corpus == "mini":
            return {"name": "mini", "title": "mini", "speaker": "espeak-ng", "licence": "Apache-2.0"}, "mini"
        if kind is None or kind.archive is None:
            known = ", ".join(["mini", *(name for name, each in CORPORA.items() if each.archive)])
            raise UsageError("there is no such corpus", where=corpus, todo=f"Give its folder, or one of: {known}")
        return {"name": corpus, "title": kind.title, "speaker": kind.speaker, "licence": kind.licence}, corpus
    name, label = guess_corpus(folder), folder.resolve().name
    kind = known_kind(name)
    if kind.layout is not None:
        kind.layout.check(name, folder)
    if name == "ljspeech":  # anybody's recordings may lie like those
        name = label if label not in (*CORPORA, "mini") else f"own-{label}"
    own = name not in CORPORA or name == "folder"
    words = {"title": label} if own else {"title": kind.title, "speaker": kind.speaker, "licence": kind.licence}
    return {"name": name, "dir": os.path.abspath(folder), **words}, label


def _checked_voice(voice: Path) -> VoiceManifest:
    """What the voice is, if it can be fine-tuned."""
    from recipes.tts.common.finetune import KINDS
    from recipes.tts.common.init import weights_problem
    from speechkd.synthesis.manifest import read_manifest, verify_files

    manifest = read_manifest(voice)
    kind = manifest.acoustic.model
    if kind not in KINDS:
        known = ", ".join(sorted(KINDS))
        raise UsageError("voices of this kind cannot be fine-tuned", where=str(voice), why=f"{kind}, not {known}")
    if why := weights_problem(manifest):
        raise UsageError("this voice cannot be fine-tuned", where=str(voice), why=why)
    verify_files(voice, manifest)
    return manifest


def _as_typed(out: Path | None, steps: int | None, speaker: str, overrides: list[str]) -> list[tuple[str, str]]:
    """The options of a command that change what it does."""
    single = [("--out", out), ("--steps", steps), ("--speaker", speaker)]
    return [(name, str(value)) for name, value in single if value] + [("--set", each) for each in overrides]


def _loses_words(voice: Path, lexicon: Path | None) -> bool:
    """Whether a voice has words of its own that a run's lexicon does not have."""
    from recipes.tts.common.finetune import has_words
    from speechkd.synthesis.manifest import LEXICON_NAME
    from speechkd.text import read_lexicon

    if not has_words(voice / LEXICON_NAME):
        return False
    known = set(read_lexicon(lexicon).words()) if lexicon is not None else set()
    return not set(read_lexicon(voice / LEXICON_NAME).words()) <= known


def _yaml(content: dict[str, Any]) -> str:
    import yaml

    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)

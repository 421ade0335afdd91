"""`speechkd finetune`: go on from a packed voice with other recordings."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from speechkd.cli.run import default_jobs
from speechkd.errors import SpeechkdError, UsageError

if TYPE_CHECKING:
    from speechkd.synthesis.manifest import VoiceManifest

#: Kinds of voices that can be fine-tuned: their recipe.
_RECIPES = {"fastspeech2": "tts/fastspeech2"}
_DEFAULT_STEPS = 500
# A fifth of the rate at which the small voices are trained: large enough for a new voice within some hundred steps,
# small enough not to forget what the old one knows of words that the new recordings lack.
_LEARNING_RATE = 2e-4
_ELSEWHERE = "Choose another one with --out"
_ODD = re.compile(r"[^A-Za-z0-9._-]+")


def finetune(
    voice: Annotated[Path, typer.Argument(help="Folder of the voice to start from.", show_default=False)],
    corpus: Annotated[
        str, typer.Argument(help="Folder of the recordings, or a corpus known by name.", show_default=False)
    ],
    out: Annotated[
        Path | None, typer.Option(help="The run's folder. [default: exp/finetuned/VOICE-CORPUS]", show_default=False)
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Training steps.")] = _DEFAULT_STEPS,
    speaker: Annotated[
        str, typer.Option(help="Of a voice of several: whom the new speaker starts from. [default: the mean]")
    ] = "",
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a value: --set a.b=c")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes; results do not depend on it.")] = default_jobs(),
) -> None:
    """Teach a voice other recordings: writes a run folder's config.yaml and runs it.

    To go on after an interruption, type the same again, or: speechkd run OUT/config.yaml
    """
    from speechkd.cli.recipes import load
    from speechkd.config import dump_config
    from speechkd.runner import RunOptions, run_recipe

    manifest = _checked_voice(voice)
    section, label = corpus_section(corpus)
    name = _ODD.sub("_", f"{manifest.name}-{label}")[:64]
    folder = out or Path("exp") / "finetuned" / name
    config = _new_config(folder, voice)
    before, was_there = config.read_bytes() if config.exists() else None, folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        content = configuration(manifest, voice, folder, section, name, steps, speaker)
        config.write_text(_yaml(content), encoding="utf-8")
        recipe, cfg = load(config, overrides or [])
    except SpeechkdError:
        _take_back(config, before, was_there)
        raise
    # With the overrides, also where there is nothing to run.
    config.write_text(dump_config(cfg), encoding="utf-8")
    run_recipe(recipe, cfg, RunOptions(jobs=jobs))
    typer.echo(f"{folder / 'voice'}: the voice. Results: {folder / 'results' / 'RESULTS.md'}")


def configuration(
    manifest: VoiceManifest, voice: Path, folder: Path, corpus: dict[str, Any], name: str, steps: int, speaker: str
) -> dict[str, Any]:
    """The whole configuration of a run that starts from `voice`: its sizes and mel, a short and gentle schedule."""
    from speechkd.text import is_english

    english = is_english(manifest.language)
    text: dict[str, Any] = {"language": manifest.language, "day_first": manifest.day_first}
    if english and _has_words(voice / "lexicon.txt"):
        text["lexicon"] = os.path.abspath(voice / "lexicon.txt")
    every = max(1, steps // 10)
    return {
        "recipe": _RECIPES[manifest.acoustic.model],
        "run": {"dir": os.path.abspath(folder)},
        "corpus": corpus,
        "text": text,
        "audio": {"mel": manifest.mel.preset, **_level(manifest)},
        "align": {"backend": "pocketsphinx" if english else "mas"},
        "vocoder": _vocoder_section(manifest, voice, folder),
        "model": manifest.acoustic.config["network"],
        "augment": {"crop": 0.5},
        "init": {"voice": os.path.abspath(voice), **({"speaker": speaker} if speaker else {})},
        "train": {
            "max_steps": steps,
            "batch_frames": 4000,
            "optimizer": {"learning_rate": _LEARNING_RATE, "betas": [0.9, 0.98], "weight_decay": 0.01},
            "schedule": {"name": "cosine", "warmup_steps": min(50, max(1, steps // 10)), "floor": 0.02},
            "ema_decay": 0.99,
            "best_by": "mel",
            "valid_every_steps": every,
            "checkpoint_every_steps": every,
        },
        "pack": {"name": name},
        "results": {"label": f"fine-tuned from {manifest.name}"},
    }


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
    from speechkd.synthesis.manifest import read_manifest, verify_files

    manifest = read_manifest(voice)
    kind = manifest.acoustic.model
    if kind not in _RECIPES:
        known = ", ".join(sorted(_RECIPES))
        raise UsageError("voices of this kind cannot be fine-tuned", where=str(voice), why=f"{kind}, not {known}")
    verify_files(voice, manifest)
    return manifest


def _new_config(folder: Path, voice: Path) -> Path:
    """Where the configuration goes; UsageError if the folder holds something else than a run of this command."""
    config = folder / "config.yaml"
    if voice.resolve().is_relative_to(folder.resolve()):
        why = "its run would replace the voice that it starts from"
        raise UsageError("the voice lies in this folder", where=str(folder), why=why, todo=_ELSEWHERE)
    if folder.exists() and not config.is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError("this is not the folder of a run", where=str(folder), todo=_ELSEWHERE)
    if config.is_file() and not _starts_from_a_voice(config):
        why = "that run was not started from a voice, and would be replaced"
        raise UsageError("this is the folder of another run", where=str(folder), why=why, todo=_ELSEWHERE)
    return config


def _starts_from_a_voice(config: Path) -> bool:
    """Whether a run's configuration is one of this command."""
    import yaml

    try:
        content = yaml.safe_load(config.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return False
    init = content.get("init") if isinstance(content, dict) else None
    return isinstance(init, dict) and bool(init.get("voice"))


def _take_back(config: Path, before: bytes | None, folder_was_there: bool) -> None:
    """A configuration that cannot be is not left behind."""
    if before is not None:
        config.write_bytes(before)
    elif folder_was_there:
        config.unlink(missing_ok=True)
    else:
        shutil.rmtree(config.parent)


def _level(manifest: VoiceManifest) -> dict[str, float]:
    level_db: float = getattr(manifest.vocoder, "level_db", 0.0)
    return {"vocoder_level_db": level_db} if level_db else {}


def _vocoder_section(manifest: VoiceManifest, voice: Path, folder: Path) -> dict[str, Any]:
    """The voice's own vocoder; a generator is told by its configuration, which the run keeps beside it."""
    from speechkd.synthesis.manifest import HifiGanPart

    if not isinstance(manifest.vocoder, HifiGanPart):
        return {"type": "griffinlim", "n_iter": getattr(manifest.vocoder, "n_iter", 60)}
    target = folder / "vocoder"
    target.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(voice / "vocoder.safetensors", target / "generator.safetensors")
    shape = manifest.mel.shape
    mel = {
        "sampling_rate": shape.sample_rate, "n_fft": shape.n_fft, "hop_size": shape.hop_samples,
        "win_size": shape.win_samples, "num_mels": shape.n_mels, "fmin": shape.fmin_hz, "fmax": shape.fmax_hz,
    }  # fmt: skip
    content = {**manifest.vocoder.config.model_dump(mode="json", exclude={"n_mels"}), **mel}
    (target / "config.json").write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return {"type": "hifigan", "path": os.path.abspath(target)}


def _has_words(lexicon: Path) -> bool:
    """Whether a voice's lexicon holds more than its heading."""
    if not lexicon.is_file():
        return False
    lines = lexicon.read_text(encoding="utf-8").splitlines()
    return any(line.strip() and not line.startswith("#") for line in lines)


def _yaml(content: dict[str, Any]) -> str:
    import yaml

    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)

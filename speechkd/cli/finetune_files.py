"""What `speechkd finetune` itself writes into a run's folder: the configuration, and the voice's vocoder beside it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from speechkd.errors import ResourceError, UsageError
from speechkd.runner.lock import lock_holder

if TYPE_CHECKING:
    from recipes.tts.common.finetune import Teacher
    from speechkd.synthesis.manifest import VoiceManifest

_ELSEWHERE = "Choose another one with --out"
_CONFIG, _VOCODER = "config.yaml", "vocoder"


def new_config(folder: Path, voice: Path, teacher: Teacher | None) -> Path:
    """Where the configuration goes; UsageError if the folder holds something else than a run of this command.

    ResourceError if such a run is under way: its configuration is not changed under it.
    """
    config = folder / _CONFIG
    for what, needed in (("voice", voice), ("teacher", teacher.model if teacher else None)):
        if needed is not None and needed.resolve().is_relative_to(folder.resolve()):
            why = f"its run would replace the {what} that it starts from"
            raise UsageError(f"the {what} lies in this folder", where=str(folder), why=why, todo=_ELSEWHERE)
    if folder.exists() and not config.is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError("this is not the folder of a run", where=str(folder), todo=_ELSEWHERE)
    if config.is_file() and not _starts_from_a_voice(config):
        why = "that run was not started from a voice, and would be replaced"
        raise UsageError("this is the folder of another run", where=str(folder), why=why, todo=_ELSEWHERE)
    if holder := lock_holder(folder):
        raise ResourceError("another run is using this folder", where=str(folder), why=str(holder), todo=_ELSEWHERE)
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


@contextmanager
def all_or_nothing(folder: Path) -> Iterator[None]:
    """What the command writes into a run's folder stays if nothing is raised; else the folder is as it was before."""
    was_there, done = folder.exists(), False
    with TemporaryDirectory() as safe:
        if was_there:
            _copy_own(folder, Path(safe))
        try:
            yield
            done = True
        finally:
            if not done and was_there:
                _remove_own(folder)
                _copy_own(Path(safe), folder)
            elif not done:
                shutil.rmtree(folder, ignore_errors=True)


def _copy_own(source: Path, target: Path) -> None:
    """Copy what the command itself writes, with its times: stages go by them."""
    if (source / _CONFIG).is_file():
        shutil.copy2(source / _CONFIG, target / _CONFIG)
    if (source / _VOCODER).is_dir():
        shutil.copytree(source / _VOCODER, target / _VOCODER)


def _remove_own(folder: Path) -> None:
    (folder / _CONFIG).unlink(missing_ok=True)
    shutil.rmtree(folder / _VOCODER, ignore_errors=True)


def vocoder_section(manifest: VoiceManifest, voice: Path, folder: Path) -> dict[str, Any]:
    """The section `vocoder` for the voice's own vocoder, whose network the run keeps beside its configuration.

    A voice without one makes its samples itself: Griffin-Lim is for copies of the recordings, to compare it with.
    """
    from speechkd.synthesis.manifest import VOCODER_NAME, GriffinLimPart, NoVocoderPart

    part = manifest.vocoder
    if isinstance(part, NoVocoderPart):
        return {"type": "griffinlim"}
    if isinstance(part, GriffinLimPart):
        return {"type": "griffinlim", "n_iter": part.n_iter}
    target = folder / _VOCODER
    target.mkdir(parents=True, exist_ok=True)
    _write(target / "generator.safetensors", (voice / VOCODER_NAME).read_bytes())
    _write(target / "config.json", _vocoder_json(manifest).encode())
    return {"type": part.type, "path": os.path.abspath(target)}


def _vocoder_json(manifest: VoiceManifest) -> str:
    """The config.json of the vocoder of a voice, as whoever loads a vocoder reads it."""
    from speechkd.models.vocoder.istft_files import istft_json
    from speechkd.synthesis.manifest import HifiGanPart, IstftPart

    part, shape = manifest.vocoder, manifest.mel.shape
    if isinstance(part, IstftPart):
        return istft_json(part.config, shape)
    assert isinstance(part, HifiGanPart)
    mel = {
        "sampling_rate": shape.sample_rate, "n_fft": shape.n_fft, "hop_size": shape.hop_samples,
        "win_size": shape.win_samples, "num_mels": shape.n_mels, "fmin": shape.fmin_hz, "fmax": shape.fmax_hz,
    }  # fmt: skip
    content = {**part.config.model_dump(mode="json", exclude={"n_mels"}), **mel}
    return json.dumps(content, indent=1, sort_keys=True) + "\n"


def _write(path: Path, content: bytes) -> None:
    """Write a file, unless it is there: with a new time it would count as a new vocoder."""
    if not path.is_file() or path.read_bytes() != content:
        path.write_bytes(content)

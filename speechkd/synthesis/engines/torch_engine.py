"""The networks of a voice in torch, from the safetensors files beside voice.json."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from speechkd.errors import ArtifactError, SpeechkdError
from speechkd.models.tts.interface import AcousticModel, step_counts
from speechkd.models.tts.load import KINDS, build_model
from speechkd.models.vocoder.checkpoint import build_generator
from speechkd.models.vocoder.griffinlim import GriffinLim
from speechkd.models.vocoder.istft_store import build_istft
from speechkd.models.vocoder.load import HifiGanVocoder, IstftVocoder, Vocoder
from speechkd.synthesis import manifest as files
from speechkd.synthesis.engines.interface import Controls, EngineName, FloatArray, Predicted
from speechkd.synthesis.manifest import GriffinLimPart, IstftPart, NoVocoderPart, VoiceManifest

# Builds an acoustic model, still without its weights, from the numbers in voice.json.
AcousticBuilder = Callable[[Mapping[str, Any]], nn.Module]


class TorchEngine:
    """Runs an acoustic model and a vocoder."""

    name: EngineName = "torch"

    def __init__(self, acoustic: AcousticModel, vocoder: Vocoder | None) -> None:
        self.acoustic = acoustic
        self.vocoder = vocoder
        self.controls = acoustic.controls
        self.step_counts = step_counts(acoustic)

    @contextmanager
    def seeded(self, seed: int) -> Iterator[None]:
        """See `Engine.seeded`."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield

    @torch.inference_mode()
    def predict(self, numbers: Sequence[int], controls: Controls) -> Predicted:
        """See `Engine.predict`."""
        made = self.acoustic.infer(
            torch.tensor([list(numbers)], dtype=torch.long),
            torch.tensor([len(numbers)]),
            speakers=torch.tensor([controls.speaker]),
            speed=controls.speed,
            pitch_semitones=controls.pitch,
            energy=controls.energy,
            **self._noise(controls),
        )
        n_frames = int(made.mel_lengths[0])
        durations = made.durations[0].cpu().numpy()
        if made.samples is not None:
            return Predicted(n_frames, durations, None, made.samples[0].float().cpu().numpy())
        return Predicted(n_frames, durations, made.mel[0, :n_frames].float().cpu().numpy())

    def _noise(self, controls: Controls) -> dict[str, Any]:
        """What only models with steps are told; their noise follows from the seed of the block around."""
        if not self.step_counts:
            return {}
        return {"n_steps": controls.steps, "seed": int(torch.randint(2**31, ()))}

    @torch.inference_mode()
    def vocode(self, mel: FloatArray) -> FloatArray | None:
        """See `Engine.vocode`."""
        if self.vocoder is None:
            return None
        samples: FloatArray = self.vocoder(torch.from_numpy(mel)[None])[0].float().cpu().numpy()
        return samples


def load_torch_engine(
    folder: Path, manifest: VoiceManifest, models: Mapping[str, AcousticBuilder], threads: int | None
) -> TorchEngine:
    """The engine of a voice whose files are checked already. `threads` is set for the whole process, as torch has it.

    Raises ArtifactError for an unknown kind of model and for weights that do not fit.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    return TorchEngine(load_acoustic(folder, manifest, models), load_vocoder_part(folder, manifest))


def load_acoustic(folder: Path, manifest: VoiceManifest, models: Mapping[str, AcousticBuilder] | None = None) -> Any:
    """The `AcousticModel` of a voice in evaluation mode; `models` adds kinds to the known ones. ArtifactError."""
    kind, config, own = manifest.acoustic.model, manifest.acoustic.config, models or {}
    if kind not in {*KINDS, *own}:
        why = f"known are {', '.join(sorted({*KINDS, *own}))}"
        raise ArtifactError(f"unknown acoustic model {kind!r}", where=str(folder), why=why, todo="Update speechkd")
    path = folder / files.ACOUSTIC_NAME
    try:
        model = own[kind](config) if kind in own else build_model(kind, config)
        model.load_state_dict(_weights(path))
    except (ValidationError, RuntimeError) as error:
        why = " ".join(str(error).split())[:300]
        raise ArtifactError("the acoustic model does not fit its weights", where=str(path), why=why) from error
    return model.eval().requires_grad_(False)


def load_vocoder_part(folder: Path, manifest: VoiceManifest) -> Vocoder | None:
    """The vocoder of a voice; None for a model that makes samples. ArtifactError."""
    part = manifest.vocoder
    if isinstance(part, NoVocoderPart):
        return None
    if isinstance(part, GriffinLimPart):
        return GriffinLim(manifest.mel.preset, part.n_iter)
    path = folder / files.VOCODER_NAME
    shape = manifest.mel.shape
    if (part.config.hop_samples, part.config.n_mels) != (shape.hop_samples, shape.n_mels):
        why = f"the vocoder makes {part.config.hop_samples} samples of {part.config.n_mels} mels per frame, not {shape}"
        raise ArtifactError("the vocoder does not fit the mel preset", where=str(folder), why=why)
    try:
        if isinstance(part, IstftPart):
            network = build_istft(part.config, _weights(path), str(path))
            return IstftVocoder(network, manifest.mel.preset, part.level_db)
        generator = build_generator(part.config, _weights(path), str(path))
        return HifiGanVocoder(generator, manifest.mel.preset, part.level_db)
    except SpeechkdError as error:
        raise ArtifactError("the vocoder cannot be used", where=str(path), why=str(error)) from error


def _weights(path: Path) -> dict[str, Any]:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise ArtifactError("weights cannot be read", where=str(path), why=str(error)) from error

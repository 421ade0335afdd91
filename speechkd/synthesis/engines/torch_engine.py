"""The networks of a voice in torch, from the safetensors files beside voice.json."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from speechkd.errors import ArtifactError, SpeechkdError
from speechkd.models.tts.interface import AcousticModel, Spoken, step_counts
from speechkd.models.tts.load import KINDS, build_model
from speechkd.models.vocoder.checkpoint import build_generator
from speechkd.models.vocoder.griffinlim import GriffinLim
from speechkd.models.vocoder.istft import IstftVocoderNetwork
from speechkd.models.vocoder.istft_store import build_istft
from speechkd.models.vocoder.load import HifiGanVocoder, IstftVocoder, Vocoder
from speechkd.synthesis import manifest as files
from speechkd.synthesis.engines.durations import at_pace
from speechkd.synthesis.engines.interface import Delivery, EngineName, FloatArray, Predicted
from speechkd.synthesis.engines.vocoders import EngineVocoder, Istft, Shifted, WholeMels
from speechkd.synthesis.manifest import GriffinLimPart, IstftPart, NoVocoderPart, VoiceManifest

# Builds an acoustic model, still without its weights, from the numbers in voice.json.
AcousticBuilder = Callable[[Mapping[str, Any]], nn.Module]


class TorchVocoder(WholeMels):
    """A vocoder of torch that needs the whole mel."""

    def __init__(self, vocoder: Vocoder) -> None:
        self._vocoder = vocoder

    @torch.inference_mode()
    def run(self, mel: FloatArray) -> FloatArray:
        """See `WholeMels`."""
        samples: FloatArray = self._vocoder(torch.from_numpy(mel)[None])[0].float().cpu().numpy()
        return samples


class IstftFilters:
    """The network of an inverse-STFT vocoder, as `speechkd.synthesis.engines.vocoders.Istft` runs it."""

    def __init__(self, network: IstftVocoderNetwork) -> None:
        self._network = network

    @torch.inference_mode()
    def __call__(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """`mel` (1, n_mels, F) to the fields of `istft_numpy.Filters`."""
        made = self._network.filters(torch.from_numpy(values["mel"]))
        named = {"real": made.real, "imaginary": made.imaginary, "noise": made.noise}
        named["f0_hz"] = self._network.f0_hz(made.pitch)
        return {name: tensor.float().cpu().numpy() for name, tensor in named.items()}


class TorchEngine:
    """Runs an acoustic model and a vocoder."""

    name: EngineName = "torch"

    def __init__(self, acoustic: AcousticModel, vocoder: Vocoder | None) -> None:
        self.acoustic = acoustic
        self.vocoder = None if vocoder is None else _engine_vocoder(vocoder)
        self.controls = acoustic.controls
        self.step_counts = step_counts(acoustic)
        self.has_vocoder = vocoder is not None
        self.shifts_pitch = self.vocoder is not None and self.vocoder.shifts_pitch

    @contextmanager
    def seeded(self, seed: int) -> Iterator[None]:
        """See `Engine.seeded`."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield

    @torch.inference_mode()
    def predict(self, numbers: Sequence[int], delivery: Delivery) -> Predicted:
        """See `Engine.predict`."""
        noise = self._noise(delivery)
        made = self._infer(numbers, delivery, None, noise)
        speeds = delivery.speeds(len(numbers))
        if speeds is not None:
            made = self._infer(numbers, delivery, _at_pace(made, speeds), noise)
        n_frames = int(made.mel_lengths[0])
        durations = made.durations[0].cpu().numpy()
        if made.samples is not None:
            return Predicted(n_frames, durations, None, made.samples[0].float().cpu().numpy())
        return Predicted(n_frames, durations, made.mel[0, :n_frames].float().cpu().numpy())

    def _infer(
        self, numbers: Sequence[int], delivery: Delivery, durations: Tensor | None, noise: dict[str, Any]
    ) -> Spoken:
        return self.acoustic.infer(
            torch.tensor([list(numbers)], dtype=torch.long),
            torch.tensor([len(numbers)]),
            speakers=torch.tensor([delivery.speaker]),
            durations=durations,
            pitch_semitones=delivery.pitch,
            energy=delivery.energy,
            **noise,
        )

    def _noise(self, delivery: Delivery) -> dict[str, Any]:
        """What only models with steps are told; their noise follows from the seed of the block around."""
        if not self.step_counts:
            return {}
        return {"n_steps": delivery.steps, "seed": int(torch.randint(2**31, ()))}

    def vocode(self, mel: FloatArray, pitch: FloatArray | None = None) -> FloatArray | None:
        """See `Engine.vocode`."""
        return None if self.vocoder is None else self.vocoder(mel, pitch)

    def vocode_early(
        self, mel: FloatArray, first_frames: int, pitch: FloatArray | None = None
    ) -> Iterator[FloatArray] | None:
        """See `Engine.vocode_early`."""
        return None if self.vocoder is None else self.vocoder.early(mel, first_frames, pitch)


def _engine_vocoder(vocoder: Vocoder) -> EngineVocoder:
    if isinstance(vocoder, IstftVocoder):
        return Shifted(Istft(IstftFilters(vocoder.generator), vocoder.generator.config), vocoder.level_db)
    return TorchVocoder(vocoder)


def _at_pace(made: Spoken, speeds: npt.NDArray[np.float64]) -> Tensor:
    """The durations (1, T) of what was made at speed 1, at `speeds` (T,)."""
    frames = made.durations[0].cpu().numpy()
    logs = np.log1p(frames) if made.log_durations is None else made.log_durations[0].float().cpu().numpy()
    return torch.from_numpy(at_pace(frames, logs, speeds))[None]


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

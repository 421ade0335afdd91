"""Made-up clips: recordings of noise, and the artifacts that a vocoder's training sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from torch import Tensor, nn

from recipes.tts.common.recordings import Recordings
from recipes.vocoder.common.config import AdversarialSection, LossSection, SlicesSection
from recipes.vocoder.common.dataset import SliceDataset
from speechkd.audio.mel import mel_spectrogram
from speechkd.audio.presets import mel_preset
from speechkd.models.vocoder.discriminators import DiscriminatorOutput
from speechkd.runner import ItemStore, ItemWriter
from speechkd.training.options import AdamWOptions, AdversarialTrainOptions, CosineSchedule, OpponentOptions

PRESET = mel_preset("hifigan_22k")
LENGTHS = {"a": 30, "b": 41, "c": 7, "d": 55}  # frames


def make_dataset(folder: Path, predicted: bool = False, share: float = 1.0) -> SliceDataset:
    """Clips a to d; predicted mels, of a and b alone, are the recorded ones plus 100."""
    rng = np.random.default_rng(0)
    folder.mkdir(exist_ok=True)
    paths = {}
    with ItemWriter(folder / "mels") as mels, ItemWriter(folder / "predicted") as others:
        for id_, n_frames in LENGTHS.items():
            samples = rng.normal(0, 0.1, n_frames * 256).clip(-0.9, 0.9).astype(np.float32)
            paths[id_] = folder / f"{id_}.wav"
            soundfile.write(paths[id_], samples, 22050, subtype="FLOAT")
            mel = mel_spectrogram(torch.from_numpy(samples)[None], PRESET)[0].numpy()
            mels.add(id_, {"mel": mel}, {"n_frames": n_frames})
            if id_ in "ab":
                others.add(id_, {"mel": mel + 100}, {"n_frames": n_frames})
    recordings = Recordings(paths, LENGTHS, PRESET, None)
    return SliceDataset(
        ItemStore(folder / "mels"), recordings, ItemStore(folder / "predicted") if predicted else None, share
    )


class Repeating(nn.Module):
    """A generator of two weights: every frame becomes a ramp, louder where the mel is greater."""

    def __init__(self) -> None:
        super().__init__()
        self.gain, self.bias = nn.Parameter(torch.tensor(0.05)), nn.Parameter(torch.tensor(0.01))
        self.ramp = nn.Parameter(torch.linspace(-1, 1, 256), requires_grad=False)

    def forward(self, mel: Tensor) -> Tensor:
        level = self.gain * mel.mean(dim=1) + self.bias
        return (level[:, :, None] * self.ramp).flatten(1)


class Listener(nn.Module):
    """Two discriminators of one weight each."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([0.5, 2.0]))

    def forward(self, samples: Tensor) -> list[DiscriminatorOutput]:
        outputs = []
        for weight in self.weight:
            layer = weight * samples
            verdict = layer.square().mean(dim=1, keepdim=True)
            outputs.append(DiscriminatorOutput(verdict, [layer, verdict]))
        return outputs


class Sections:
    """The sections of a configuration that a task reads."""

    def __init__(self, **changes: Any) -> None:
        self.slices = SlicesSection(frames=8, valid_frames=12)
        self.losses = LossSection(mel=45, matching=2)
        self.adversarial = AdversarialSection(start_step=3)
        self.train = AdversarialTrainOptions(
            max_steps=7, batch_frames=16, optimizer=AdamWOptions(learning_rate=1e-3),
            opponent=OpponentOptions(optimizer=AdamWOptions(learning_rate=1e-3)), device="cpu", precision="fp32",
            threads=1, schedule=CosineSchedule(warmup_steps=2), log_every_steps=2, valid_every_steps=3,
            checkpoint_every_steps=2, best_by="last",
        )  # fmt: skip
        vars(self).update(changes)

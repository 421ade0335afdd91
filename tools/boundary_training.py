"""Training of the aligner's boundary network: what it learns from, the network in torch, and the loop."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from speechkd.align import Alignment, Interval, PocketsphinxOptions, make_aligner
from speechkd.align.matching import without_stress
from speechkd.align.refine_features import FRAME_S, N_MELS, SAMPLE_RATE, log_mel
from speechkd.align.types import SILENCE
from speechkd.audio.io import read_audio, resample
from speechkd.errors import SpeechkdError
from speechkd.text import EnglishFrontend
from speechkd.text.symbols import CONSONANTS, VOWELS

LABELS = (SILENCE, *VOWELS, *CONSONANTS)
DILATIONS = (1, 2, 4, 2, 1)
HIDDEN, BEGINS = 128, 48
# Played faster or slower, a voice has another pitch and another length of the vocal tract: other speakers, of a kind.
SPEEDS = (1.0, 0.86, 0.93, 1.08, 1.17)
FLITE_VOICES = ("slt", "rms", "kal16")
FLITE_SPEEDS = (1.0, 0.9, 1.12)

_PLACE = {label: place for place, label in enumerate(LABELS)}
_IGNORED = -1
# flite's phone set is ARPAbet but for the reduced vowel and the pause.
_FLITE_NAMES = {"pau": SILENCE, "ax": "AH"}


@dataclass(frozen=True)
class Clip:
    """mel: (T, N_MELS); labels: (T,), -1 where unknown; begins: (T,), where a phone begins, all False if unknown."""

    mel: NDArray[np.float16]
    labels: NDArray[np.int64]
    begins: NDArray[np.bool_]


def clip_of(path: Path, phones: Sequence[Interval], speed: float, exact: bool) -> Clip:
    """A recording played `speed` times faster, with its phones; if not `exact`, frames at boundaries are unknown."""
    audio = read_audio(path)
    samples = resample(audio.samples, round(audio.sample_rate * speed), SAMPLE_RATE)
    mel = log_mel(samples)
    labels = np.full(len(mel), _IGNORED, np.int64)
    begins = np.zeros(len(mel), bool)
    centres_s = (np.arange(len(mel)) + 0.5) * FRAME_S
    for phone in phones:
        start_s, end_s = phone.start_s / speed, phone.end_s / speed
        # Where a pause begins and ends is what a bare search is worst at.
        margin_s = 0.0 if exact else 0.1 if phone.label == SILENCE else FRAME_S
        inside = (centres_s >= start_s + margin_s) & (centres_s < end_s - margin_s)
        labels[inside] = _PLACE.get(without_stress(phone.label), _IGNORED)
        first = round(start_s / FRAME_S)
        if exact and 0 < first < len(mel):
            begins[first] = True
    return Clip(mel.astype(np.float16), labels, begins)


def flite_speech(voice: str, text: str, path: Path) -> list[Interval]:
    """Let flite speak `text` to `path`; the phones with the times that it reports."""
    command = ["flite", "-voice", voice, "-psdur", "-t", text, "-o", str(path)]
    reported = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    phones: list[Interval] = []
    at = 0.0
    for name, end in (each.rsplit(":", 1) for each in reported):
        label = _FLITE_NAMES.get(name, name.upper())
        if float(end) <= at:
            continue
        if phones and label == phones[-1].label == SILENCE:
            at = phones.pop().start_s
        phones.append(Interval(at, float(end), label))
        at = float(end)
    return phones


def spoken_clips(sentences: Iterable[str], folder: Path) -> Iterator[Clip]:
    """The sentences spoken by every voice of flite in FLITE_VOICES."""
    for number, sentence in enumerate(sentences):
        for voice in FLITE_VOICES:
            path = folder / f"{voice}-{number:04d}.wav"
            phones = flite_speech(voice, sentence, path)
            yield from (clip_of(path, phones, speed, exact=True) for speed in FLITE_SPEEDS)


def own_clips(rows: Iterable[tuple[Path, str]]) -> Iterator[Clip]:
    """Recordings with the phones that pocketsphinx alone finds in them, which are right within the phones only."""
    frontend, aligner = EnglishFrontend(), make_aligner(PocketsphinxOptions(refine=False))
    for path, text in rows:
        audio = read_audio(path)
        try:
            found: Alignment = aligner.align(audio.samples, audio.sample_rate, frontend.tokens(text))
        except SpeechkdError as error:
            print(f"left out: {path.name}: {error}")
            continue
        yield clip_of(path, found.phones, 1.0, exact=False)


class Network(nn.Module):
    """The trainable form of `speechkd.align.refine_network.BoundaryNetwork`, which names the same parts."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.input = nn.Conv1d(N_MELS, HIDDEN, 5, padding=2)
        self.blocks = nn.ModuleList(nn.Conv1d(HIDDEN, HIDDEN, 3, padding=d, dilation=d) for d in DILATIONS)
        self.norms = nn.ModuleList(nn.LayerNorm(HIDDEN) for _ in DILATIONS)
        self.output = nn.Conv1d(HIDDEN, len(LABELS) + BEGINS, 1)
        self.dropout = nn.Dropout(dropout)
        self.left = nn.Parameter(torch.randn(len(LABELS), BEGINS) * 0.2)
        self.right = nn.Parameter(torch.randn(len(LABELS), BEGINS) * 0.2)

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """mel (B, N_MELS, T) -> logits (B, labels, T), begins (B, T, K)."""
        hidden = functional.relu(self.input(mel))
        for block, norm in zip(self.blocks, self.norms, strict=True):
            normed = norm(hidden.transpose(1, 2)).transpose(1, 2)
            hidden = hidden + self.dropout(functional.relu(block(normed)))
        output = self.output(hidden)
        return output[:, : len(LABELS)], output[:, len(LABELS) :].transpose(1, 2)

    def tensors(self) -> dict[str, NDArray[np.float16]]:
        """The weights as `BoundaryNetwork` reads them, in half precision."""
        named = {"input": self.input, "output": self.output}
        named |= {f"block{number}": block for number, block in enumerate(self.blocks)}  # type: ignore[misc]
        tensors = {f"{name}.weight": layer.weight.permute(2, 1, 0) for name, layer in named.items()}
        tensors |= {f"{name}.bias": layer.bias for name, layer in named.items()}
        tensors["output.weight"] = tensors["output.weight"][0]
        for number, norm in enumerate(self.norms):
            tensors |= {f"block{number}.norm_weight": norm.weight, f"block{number}.norm_bias": norm.bias}
        tensors |= {"left": self.left, "right": self.right}
        return {
            name: np.ascontiguousarray(value.detach().numpy()).astype(np.float16) for name, value in tensors.items()
        }


@dataclass(frozen=True)
class Plan:
    """How it is trained. `shares`: how often a clip of each set is drawn."""

    steps: int
    seed: int
    shares: tuple[float, ...]
    batch: int = 12
    frames: int = 256
    learning_rate: float = 2e-3
    dropout: float = 0.25
    begins_weight: float = 0.5
    ema_decay: float = 0.998


def train(sets: Sequence[Sequence[Clip]], plan: Plan) -> Network:
    """The averaged weights after `plan.steps` steps of AdamW with warm-up and cosine decay."""
    torch.manual_seed(plan.seed)
    draw = np.random.default_rng(plan.seed)
    network, averaged = Network(plan.dropout), Network(plan.dropout)
    averaged.load_state_dict(network.state_dict())
    optimiser = torch.optim.AdamW(network.parameters(), plan.learning_rate, weight_decay=0.01)
    for step in range(plan.steps):
        rate = min(1.0, (step + 1) / 200) * (0.02 + 0.49 * (1 + math.cos(math.pi * step / plan.steps)))
        for group in optimiser.param_groups:
            group["lr"] = plan.learning_rate * rate
        loss, parts = _loss(network, *_batch(draw, sets, plan), plan)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        decay = min(plan.ema_decay, (step + 1) / (step + 10))
        with torch.no_grad():
            for mean, value in zip(averaged.parameters(), network.parameters(), strict=True):
                mean.lerp_(value, 1 - decay)
        if (step + 1) % 100 == 0:
            print(f"step {step + 1}: {parts}", flush=True)
    return averaged.eval()


def _batch(
    draw: np.random.Generator, sets: Sequence[Sequence[Clip]], plan: Plan
) -> tuple[Tensor, NDArray[np.int64], NDArray[np.bool_]]:
    mels = np.zeros((plan.batch, N_MELS, plan.frames), np.float32)
    labels = np.full((plan.batch, plan.frames), _IGNORED, np.int64)
    begins = np.zeros((plan.batch, plan.frames), bool)
    for row in range(plan.batch):
        clips = sets[draw.choice(len(sets), p=plan.shares)]
        clip = clips[draw.integers(len(clips))]
        start = draw.integers(0, max(1, len(clip.mel) - plan.frames + 1))
        part = slice(start, start + plan.frames)
        mel = _disturbed(draw, clip.mel[part].astype(np.float32))
        mels[row, :, : len(mel)] = mel.T
        labels[row, : len(mel)] = clip.labels[part]
        begins[row, : len(mel)] = clip.begins[part]
    return torch.from_numpy(mels), labels, begins


def _disturbed(draw: np.random.Generator, mel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Another microphone (a smooth curve over the bands), noise beneath the speech, and a masked band."""
    bands = np.arange(N_MELS)
    curve = draw.normal(0, 0.25) * np.linspace(-1, 1, N_MELS)
    mel = mel + curve + np.interp(bands, [0, 10, 20, 30, 39], draw.normal(0, 0.2, 5))
    if draw.random() < 0.4:
        floor = draw.uniform(-4.5, -2.0) + np.interp(bands, [0, 20, 39], draw.normal(0, 0.5, 3))
        mel = np.log10(10**mel + 10 ** (floor + draw.normal(0, 0.25, mel.shape)))
    first = draw.integers(0, N_MELS - 4)
    mel[:, first : first + draw.integers(1, 7)] = 0
    return mel.astype(np.float32)


def _loss(
    network: Network, mel: Tensor, labels: NDArray[np.int64], begins: NDArray[np.bool_], plan: Plan
) -> tuple[Tensor, str]:
    logits, evidence = network(mel)
    frames = functional.cross_entropy(logits, torch.from_numpy(labels), ignore_index=_IGNORED, label_smoothing=0.05)
    places = _begins_loss(network, evidence, labels, begins)
    return frames + plan.begins_weight * places, f"frames {frames.item():.3f}, begins {places.item():.3f}"


def _begins_loss(
    network: Network, evidence: Tensor, labels: NDArray[np.int64], begins: NDArray[np.bool_], reach: int = 15
) -> Tensor:
    """Cross-entropy of where, among the frames within `reach`, the right one of two known phones begins."""
    row, frame = np.nonzero(begins)
    inside = (frame >= reach) & (frame < labels.shape[1] - reach)
    row, frame = row[inside], frame[inside]
    left, right = labels[row, frame - 1], labels[row, frame]
    known = (left != _IGNORED) & (right != _IGNORED)
    row, frame, left, right = (each[known] for each in (row, frame, left, right))
    around = frame[:, None] + np.arange(-reach, reach + 1)
    pairs = network.left[left] + network.right[right]
    scores = torch.einsum("nwk,nk->nw", evidence[row[:, None], around], pairs)
    wanted = torch.zeros(2 * reach + 1)
    wanted[reach - 1 : reach + 2] = torch.tensor([0.15, 0.7, 0.15])
    return -(scores.log_softmax(1) @ wanted).sum() / max(1, len(row))

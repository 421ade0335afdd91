"""Training an aligner on a corpus, to be picked up where it was stopped."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from recipes.tts.common.mas_training.task import AlignerTask, Training
from speechkd.align.mas.features import PRESET
from speechkd.align.mas.graph import Inventory, build_graph
from speechkd.align.mas.network import CONFIG, NetworkSize, StateClassifier, save_network
from speechkd.align.mas.search import best_path
from speechkd.align.options import MasOptions
from speechkd.align.types import AlignInput
from speechkd.audio.io import Audio, read_audio
from speechkd.errors import DataError
from speechkd.runner.publish import fresh_folder, publish_folder, remove, write_json
from speechkd.training.loop import fit
from speechkd.training.options import AdamWOptions, CosineSchedule, TrainOptions
from speechkd.training.seeds import derive_seed

MODEL, WORK, INPUTS = "model", "training", "inputs.json"

LOG_EVERY_STEPS = 50

#: Raised when the same corpus and options would give another aligner.
_VERSION = 1

#: An utterance whose paths would fill more memory is not trained on: 20 M cells are a minute and a half of speech.
_MAX_CELLS = 20_000_000


def train_aligner(
    options: MasOptions, utterances: Sequence[AlignInput], folder: Path, jobs: int, log: logging.Logger
) -> Path:
    """Train on all utterances that can be used, and return the folder of the aligner, `<folder>/model`.

    `folder` also keeps checkpoints: a run that was stopped goes on from there, a finished one is not repeated, and
    either only for the same options, texts and recordings. One thread trains, whatever `jobs` says, so that the sums
    and hence the bytes are always the same. Utterances that cannot be used are logged and left out.
    Raises `DataError` when none is left.
    """
    inventory = Inventory.of(each.text_tokens for each in utterances)
    n_frames, digest = _survey(utterances, inventory, log)
    if not _same_inputs(folder, {"utterances": digest, "options": options.model_dump(mode="json", exclude={"model"})}):
        log.info("training an aligner on %d utterances, %d phones", len(n_frames), len(inventory.phones))
    if (folder / MODEL / CONFIG).is_file():
        return folder / MODEL
    used = [each for each in utterances if each.id in n_frames]
    with _one_thread():
        network = _train(options, inventory, used, n_frames, folder / WORK, log)
    _publish(network, folder)
    return folder / MODEL


def _survey(utterances: Sequence[AlignInput], inventory: Inventory, log: logging.Logger) -> tuple[dict[str, int], str]:
    """Frames of every utterance that can be used, and a digest of texts and samples of all of those."""
    digest = hashlib.sha256(f"{_VERSION}".encode())
    n_frames: dict[str, int] = {}
    for utterance in utterances:
        try:
            audio = read_audio(utterance.audio_path)
            n_frames[utterance.id] = _n_frames(utterance, inventory, audio)
        except DataError as error:
            log.warning("%s is not used to train the aligner: %s", utterance.id, error)
            continue
        text = json.dumps([utterance.id, utterance.text_tokens.to_json(), audio.sample_rate], sort_keys=True)
        digest.update(text.encode() + audio.samples.tobytes())
    if not n_frames:
        why = f"none of {len(utterances)} utterances can be used"
        raise DataError("The aligner has nothing to learn from", why=why, todo="See the log for each one's reason.")
    return n_frames, digest.hexdigest()


def _n_frames(utterance: AlignInput, inventory: Inventory, audio: Audio) -> int:
    """Frames of a recording that can be heard and can hold its text, not too long either; `DataError` otherwise."""
    n_frames = int(audio.duration_s * PRESET.sample_rate) // PRESET.hop_samples
    graph = build_graph(utterance.text_tokens, inventory)
    if n_frames * PRESET.hop_samples < PRESET.n_fft or not audio.samples.any():
        raise DataError("Cannot align", why=f"{audio.duration_s:.3f} s are too short, or silent")
    if n_frames * len(graph.states) > _MAX_CELLS:
        why = f"{audio.duration_s:.0f} s with {len(utterance.text_tokens)} tokens are too much at once"
        raise DataError("Too long to learn from", why=why, todo="Split it into sentences.")
    # One frame less: resampling may round the other way.
    best_path(np.zeros((n_frames - 1, len(graph.states)), np.float32), graph.sources)
    return n_frames


def _same_inputs(folder: Path, inputs: Mapping[str, Any]) -> bool:
    """Whether the folder is of the same inputs; what was made from others is removed."""
    path = folder / INPUTS
    try:
        if json.loads(path.read_text(encoding="utf-8")) == json.loads(json.dumps(inputs)):
            return True
    except (OSError, ValueError):
        pass  # a first run, or a record that cannot be trusted
    for name in (INPUTS, WORK, MODEL):
        remove(folder / name)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(path, inputs)
    return False


def _train(
    options: MasOptions,
    inventory: Inventory,
    utterances: Sequence[AlignInput],
    n_frames: Mapping[str, int],
    work: Path,
    log: logging.Logger,
) -> StateClassifier:
    torch.manual_seed(derive_seed(options.seed, purpose="weights"))
    network = StateClassifier(inventory, NetworkSize(channels=options.channels))
    network.share.copy_(_even_share(inventory, utterances, n_frames))
    task = AlignerTask(network, utterances, n_frames, options.batch_frames, options.steps)
    work.mkdir(parents=True, exist_ok=True)
    trained = fit(task, _loop_options(options), work, _Log(log, options.steps))
    training = Training(network)
    training.load_state_dict(trained.weights)
    return training.network


def _even_share(inventory: Inventory, utterances: Sequence[AlignInput], n_frames: Mapping[str, int]) -> torch.Tensor:
    """The share (N,) of frames that each state would have if all states of an utterance were equally long."""
    share = torch.zeros(inventory.n_states, dtype=torch.float64)
    for utterance in utterances:
        states = torch.from_numpy(build_graph(utterance.text_tokens, inventory).states)
        share += torch.bincount(states, minlength=inventory.n_states) * (n_frames[utterance.id] / len(states))
    return share / share.sum()


def _loop_options(options: MasOptions) -> TrainOptions:
    """The loop's options: validated at the end only, because the last weights are the ones wanted."""
    return TrainOptions(
        max_steps=options.steps,
        seed=options.seed,
        batch_frames=options.batch_frames,
        optimizer=AdamWOptions(learning_rate=options.learning_rate, weight_decay=0.01),
        schedule=CosineSchedule(warmup_steps=max(1, options.steps // 20)),
        device="cpu",
        precision="fp32",
        threads=1,
        log_every_steps=LOG_EVERY_STEPS,
        valid_every_steps=options.steps,
        checkpoint_every_steps=100,
    )


def _publish(network: StateClassifier, folder: Path) -> None:
    temporary = fresh_folder(folder / f".{MODEL}.tmp")
    save_network(temporary, network.eval())
    publish_folder(temporary, folder / MODEL)
    remove(folder / WORK)


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Log:
    """Tells the log how the training goes."""

    def __init__(self, log: logging.Logger, steps: int) -> None:
        self.log, self.steps = log, steps

    def row(self, row: Mapping[str, Any]) -> None:
        """A line per logged step."""
        values = "  ".join(f"{name} {value:.3f}" for name, value in row.items() if isinstance(value, float))
        self.log.info("aligner: step %d of %d  %s", row["step"], self.steps, values)

    def advance(self, step: int, loss: float) -> None:
        """Nothing: the rows say enough."""

    def message(self, text: str) -> None:
        """A line in the log."""
        self.log.info("aligner: %s", text)

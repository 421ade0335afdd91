"""Training the inverse-STFT vocoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from recipes.vocoder.common.dataset import SliceDataset
from recipes.vocoder.common.train import require_same_sizes, train_generator
from recipes.vocoder.istft.dataset import PitchedDataset
from recipes.vocoder.istft.plan import taught_plan
from recipes.vocoder.istft.targets import mels_digest
from recipes.vocoder.istft.task import IstftTask
from recipes.vocoder.istft.teacher import StoredAnswers, live_teacher, who_speaks
from speechkd.audio.presets import mel_preset
from speechkd.distill.store import TargetStore
from speechkd.distill.teacher import Teacher
from speechkd.errors import ConfigError
from speechkd.models.vocoder.discriminators import Discriminators, make_discriminators
from speechkd.models.vocoder.files import require_same_mel, shape_of
from speechkd.models.vocoder.istft import IstftVocoderNetwork
from speechkd.models.vocoder.istft_config import IstftConfig
from speechkd.models.vocoder.istft_files import is_istft
from speechkd.models.vocoder.istft_store import load_istft, save_istft
from speechkd.models.vocoder.spectral_discriminator import SpectralDiscriminator
from speechkd.runner import Context


def run(cfg: Any, ctx: Context) -> None:
    """Write `vocoder`: config.json, generator.safetensors, history.jsonl; and `discriminators`."""
    teacher = find_teacher(cfg, ctx)
    if teacher is not None:
        taught_plan(cfg).check(teacher)
        ctx.log.info("taught by %s, %s", cfg.teacher.path, cfg.teacher.source)

    def build() -> nn.Module:
        if cfg.init.path is None:
            return IstftVocoderNetwork(cfg.model)
        return start(cfg.init.path, cfg.model, cfg.audio.mel)

    def task(generator: Any, opponent: nn.Module, dataset: SliceDataset, splits: Any, cfg: Any) -> IstftTask:
        return IstftTask(generator, opponent, PitchedDataset(dataset, ctx.store("pitch")), splits, cfg, teacher)

    weights = train_generator(cfg, ctx, build, make_judges, task)
    network = IstftVocoderNetwork(cfg.model)
    network.load_state_dict(weights)
    save_istft(ctx.output("vocoder"), network, shape_of(mel_preset(cfg.audio.mel)))


def start(path: Path, model: IstftConfig, mel_preset_name: str) -> IstftVocoderNetwork:
    """The network at `path`, ready to be trained. ConfigError if it has other sizes or another mel."""
    if not is_istft(path):
        why = "it is a HiFi-GAN, or none that is known"
        raise ConfigError("the generator of init.path is no inverse-STFT vocoder", where=str(path), why=why)
    network, mel = load_istft(path)
    require_same_mel(mel, mel_preset(mel_preset_name), str(path))
    require_same_sizes(network.config, model, path)
    return network.train().requires_grad_(True)


def find_teacher(cfg: Any, ctx: Context) -> Teacher | None:
    """Who teaches: a live vocoder, what one said in the stage targets, or nobody."""
    if cfg.teacher.path is None:
        return None
    if cfg.teacher.source == "live":
        return live_teacher(cfg)
    made_by = who_speaks(cfg.teacher.path, cfg.teacher.level_db)
    return StoredAnswers(TargetStore.open(ctx.input("targets"), manifest_digest=mels_digest(ctx), teacher=made_by))


def make_judges(config: Any) -> nn.Module:
    """HiFi-GAN's discriminators and that of spectra, as the configuration has them."""
    judges: Discriminators = make_discriminators(config)
    if config.spectral is not None:
        judges.members.append(SpectralDiscriminator(config.spectral))
    return judges

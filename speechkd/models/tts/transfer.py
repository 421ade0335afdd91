"""Weights of a trained acoustic model as the start of another one of its kind.

Weights only: no optimiser, no step, no history. What belongs to a symbol or to a speaker is found by its name, never by
its number, so a model of other symbols or other speakers can start from it. Each tensor that is not simply copied is
told, with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from speechkd.errors import ConfigError

# More names than this say no more to a reader of a log; transfer.json holds them all.
_SHOWN_NAMES = 8


@dataclass(frozen=True)
class Note:
    """What became of a tensor: `partly` filled, `moved` into another one, `new` (nothing to start from) or `unused`."""

    tensor: str
    action: str
    reason: str


@dataclass
class Transfer:
    """What a model was given: the tensors copied whole, notes on all others, and how many of its values were given."""

    copied: list[str] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    n_given: int = 0
    n_values: int = 0

    @property
    def share(self) -> float:
        """The share of the model's values that were given."""
        return self.n_given / max(1, self.n_values)


def transfer_weights(
    model: Any, source: Any, symbols: Sequence[str], source_symbols: Sequence[str], speaker: str = ""
) -> Transfer:
    """Fill `model` in place with the weights of `source`, an acoustic model of the same kind.

    symbols, source_symbols: the names of the rows of their token embeddings. New speakers start from the vector of
    `speaker`, one of `source.config.speakers`, or from the mean of them all. Raises ConfigError for an unknown speaker.
    """
    speakers = tuple(source.config.speakers) if len(source.config.speakers) > 1 else ()
    if speaker and speaker not in speakers:
        known = f"its speakers: {', '.join(speakers)}" if speakers else "it has one speaker only"
        raise ConfigError(f"the voice has no speaker {speaker!r}", why=known)
    filler = _Filler(model, source, speakers, speaker)
    with torch.no_grad():
        for name, target in filler.targets.items():
            if name in filler.places("embedding.weight"):
                filler.by_name(name, target, "symbol", (symbols, source_symbols), None)
            elif name in filler.places("speaker_embedding.weight"):
                filler.speaker_rows(name, target)
            else:
                filler.whole(name, target)
        for name in sorted(filler.sources.keys() - filler.targets.keys()):
            filler.left_over(name)
    return filler.done


class _Filler:
    """Fills one model and keeps the account."""

    def __init__(self, model: nn.Module, source: nn.Module, speakers: tuple[str, ...], speaker: str) -> None:
        self.model, self.source = model, source
        self.targets: dict[str, Tensor] = dict(model.state_dict())
        self.sources: dict[str, Tensor] = dict(source.state_dict())
        self.speakers, self.speaker = speakers, speaker
        self.done = Transfer(n_values=sum(each.numel() for each in self.targets.values()))
        # Where the embeddings are: beside the table of speakers, which a model of one speaker has as None.
        self._owners = [path for path, module in model.named_modules() if hasattr(module, "speaker_embedding")]

    def places(self, name: str) -> set[str]:
        """The full names of a tensor in all modules that hold embeddings."""
        return {f"{path}.{name}" if path else name for path in self._owners}

    def note(self, tensor: str, action: str, reason: str) -> None:
        self.done.notes.append(Note(tensor, action, reason))

    def whole(self, name: str, target: Tensor) -> None:
        """Copy a tensor of the same shape."""
        source = self.sources.get(name)
        if source is None:
            self.note(name, "new", "the voice has no such tensor")
        elif source.shape != target.shape:
            self.note(name, "new", f"{_shape(source)} in the voice, {_shape(target)} here")
        else:
            target.copy_(source)
            self.done.copied.append(name)
            self.done.n_given += target.numel()

    def by_name(
        self, name: str, target: Tensor, what: str, names: tuple[Sequence[str], Sequence[str]], rest: Tensor | None
    ) -> None:
        """Copy the rows whose names both tables have; the others become `rest`, or stay as they are."""
        new_names, old_names = names
        source = self.sources[name]
        if source.shape[1:] != target.shape[1:]:
            self.note(name, "new", f"{_shape(source)} in the voice, {_shape(target)} here")
            return
        if tuple(new_names) == tuple(old_names):
            self.whole(name, target)
            return
        places = {each: place for place, each in enumerate(old_names)}
        found = [each for each in new_names if each in places]
        for row, each in enumerate(new_names):
            if each in places:
                target[row] = source[places[each]]
            elif rest is not None:
                target[row] = rest
        filled = len(new_names) if rest is not None else len(found)
        self.done.n_given += filled * target[0].numel()
        start = f"start from {self._mean_name()}" if rest is not None else "start at random"
        reasons = [f"{len(found)} of {len(new_names)} {what}s found by name"]
        reasons += _listed([each for each in new_names if each not in places], f"{start}: ")
        reasons += _listed([each for each in old_names if each not in set(new_names)], "not needed: ")
        self.note(name, "partly", "; ".join(reasons))

    def speaker_rows(self, name: str, target: Tensor) -> None:
        """Fill the vectors of the speakers. A voice of one has none: with zeros every speaker starts as that one."""
        names = tuple(self.model.config.speakers)  # type: ignore[union-attr,arg-type]
        if not self.speakers:
            target.zero_()
            self.note(
                name, "new", f"the voice has one speaker, as which all {len(names)} start: their vectors are zero"
            )
            return
        self.by_name(name, target, "speaker", (names, self.speakers), self._mean(self.sources[name]))

    def left_over(self, name: str) -> None:
        """A tensor of the voice that the model lacks: the vector of the speaker, at least, need not be lost."""
        if name not in self.places("speaker_embedding.weight"):
            self.note(name, "unused", "the model here has no such tensor")
            return
        path = name.removesuffix("speaker_embedding.weight")
        bias = self._last_bias(path)
        vector = self._mean(self.sources[name])
        if bias is None or self.targets[bias].shape != vector.shape:
            self.note(
                name, "unused", "one speaker here, and no bias after the encoder to keep a vector of the voice in"
            )
            return
        self.targets[bias].add_(vector)
        self.note(name, "moved", f"one speaker here: the vector of {self._mean_name()} is added to {bias}")

    def _last_bias(self, path: str) -> str | None:
        """The bias of the layer norm that ends the encoder: what is added to it is added to every state."""
        prefix = f"{path}encoder."
        norms = [name for name, module in self.model.named_modules() if isinstance(module, nn.LayerNorm)]
        inside = [f"{name}.bias" for name in norms if name.startswith(prefix)]
        # Only a bias that came from the voice belongs to its vectors.
        return inside[-1] if inside and inside[-1] in self.done.copied else None

    def _mean(self, vectors: Tensor) -> Tensor:
        return vectors[self.speakers.index(self.speaker)] if self.speaker else vectors.mean(dim=0)

    def _mean_name(self) -> str:
        return self.speaker or f"the mean of the voice's {len(self.speakers)} speakers"


def _shape(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape))


def _listed(names: Sequence[str], before: str) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    return [before + ", ".join(names[:_SHOWN_NAMES]) + more]

"""Which utterances are trained together: batches of similar length, planned ahead for a whole epoch."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from speechkd.errors import DataError

# Lengths are blurred by up to this share before sorting, so that batches differ between epochs.
_JITTER = 0.1


def plan_batches(lengths: Mapping[str, int], max_frames: int, seed: int, epoch: int) -> list[list[str]]:
    """All ids of `lengths` (id -> frames), each exactly once, in batches of size times longest <= `max_frames`.

    A pure function of ids, lengths, seed and epoch, whatever the order of the mapping and the version of any library:
    a run that resumes in the middle of an epoch plans again and skips what it has done.

    Raises `DataError` naming the utterances that are longer than `max_frames` by themselves.
    """
    _check(lengths, max_frames)
    blurred = {name: frames * (1 + _JITTER * _uniform(seed, epoch, "order", name)) for name, frames in lengths.items()}
    batches: list[list[str]] = []
    longest = 0
    for name in sorted(lengths, key=lambda name: (blurred[name], name)):
        longest = max(longest, lengths[name])
        if not batches or (len(batches[-1]) + 1) * longest > max_frames:
            batches.append([])
            longest = lengths[name]
        batches[-1].append(name)
    return sorted(batches, key=lambda batch: (_uniform(seed, epoch, "batch", batch[0]), batch[0]))


def plan_batches_by_shard(
    lengths: Mapping[str, int],
    shards: Mapping[str, Sequence[str]],
    max_frames: int,
    seed: int,
    epoch: int,
    window: int = 8,
) -> list[list[str]]:
    """Like `plan_batches`, for a corpus that does not fit into memory: read in this order, only `window` shards are
    in use at a time, and each is read once per epoch.

    `shards`: the ids of every shard (`ItemStore.shards`); those without a length are left out. The shards are put in
    a random order and taken `window` at a time; batches are planned within. Utterances of one shard stay near each
    other, so a larger window mixes better.
    """
    _check(lengths, max_frames)
    order = sorted(shards, key=lambda name: (_uniform(seed, epoch, "shard", name), name))
    batches: list[list[str]] = []
    for start in range(0, len(order), window):
        ids = (id_ for name in order[start : start + window] for id_ in shards[name])
        near = {id_: lengths[id_] for id_ in ids if id_ in lengths}
        batches += plan_batches(near, max_frames, seed, epoch)
    if sum(map(len, batches)) != len(lengths):
        raise DataError("utterances are in no shard", why=f"{len(lengths) - sum(map(len, batches))} of {len(lengths)}")
    return batches


def _check(lengths: Mapping[str, int], max_frames: int) -> None:
    wrong = sorted(name for name, frames in lengths.items() if frames < 1)
    if wrong:
        raise DataError("Utterances without frames", why=", ".join(wrong[:10]))
    long = sorted(name for name, frames in lengths.items() if frames > max_frames)
    if long:
        why = ", ".join(f"{name} has {lengths[name]} frames" for name in long[:10])
        todo = f"Raise the batch size above {max(lengths.values())} frames or leave them out."
        raise DataError(f"{len(long)} utterances are longer than a batch of {max_frames} frames", why=why, todo=todo)


def _uniform(seed: int, epoch: int, purpose: str, name: str) -> float:
    """A number in [0, 1) that depends on nothing but the arguments."""
    digest = hashlib.sha256(f"{seed}\n{epoch}\n{purpose}\n{name}".encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56

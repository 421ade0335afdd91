"""Extracted features as lhotse Shar: tar files that training on a large corpus reads from front to back.

Layout (lhotse.shar): `cuts.000000.jsonl` and one tar per field, `features.000000.tar` (the mel), `f0_hz.…`,
`energy.…` and `durations.…`, each with `<id>.npy` and `<id>.json` in the order of the cuts. Read it with
`CutSet.from_shar(in_dir=…)`. Written here and not by lhotse, whose gzip headers hold the time.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import tarfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from speechkd.audio.presets import MelPreset, mel_preset
from speechkd.errors import ArtifactError, DataError, UsageError
from speechkd.runner import ItemStore
from speechkd.runner.publish import fresh_folder, publish_folder, remove, resource_errors

SHARD_SIZE = 1000
#: Arrays of a `features` artifact; all but the durations have a value per mel frame.
FIELDS = ("features", "f0_hz", "energy", "durations")


def write_shar(
    features: ItemStore, cuts: Path, out: Path, ids: Collection[str] | None = None, shard_size: int = SHARD_SIZE
) -> int:
    """Write the features of a store, described by its `cuts.jsonl`, as the new folder `out`; returns how many.

    `ids`: only these. One utterance is held at a time. Raises UsageError if `out` exists, DataError if nothing is
    left to write, ArtifactError for damaged cuts.
    """
    if out.exists():
        raise UsageError("the folder exists already", where=str(out), todo="Give a new one")
    chosen = frozenset(ids) if ids is not None else None
    rows = (row for row in _rows(cuts) if chosen is None or row["id"] in chosen)
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = fresh_folder(out.with_name(f".{out.name}.{uuid4().hex}.tmp"))
    try:
        written = 0
        with resource_errors(out):
            for index in itertools.count():
                batch = list(itertools.islice(rows, shard_size))
                if not batch:
                    break
                _write_shard(features, batch, temporary, index)
                written += len(batch)
        if not written:
            raise DataError("there is nothing to write", where=str(cuts))
        publish_folder(temporary, out)
    finally:
        remove(temporary)
    return written


def _rows(cuts: Path) -> Iterator[dict[str, Any]]:
    try:
        with open(cuts, encoding="utf-8") as file:
            for line in file:
                row = json.loads(line)
                if row["custom"]["n_frames"] < 1:
                    raise ValueError(f"{row['id']} has no frames")
                yield row
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError("cannot read the cuts", where=str(cuts), why=f"{type(error).__name__}: {error}") from error


def _write_shard(features: ItemStore, rows: Sequence[dict[str, Any]], folder: Path, index: int) -> None:
    with contextlib.ExitStack() as stack:
        tars = {
            field: stack.enter_context(
                tarfile.open(folder / f"{field}.{index:06d}.tar", "w", format=tarfile.PAX_FORMAT)
            )
            for field in FIELDS
        }
        lines = stack.enter_context(open(folder / f"cuts.{index:06d}.jsonl", "w", encoding="utf-8", newline="\n"))
        for row in rows:
            preset = mel_preset(row["custom"]["mel"])
            cut = row | {"duration": row["custom"]["n_frames"] * preset.hop_samples / preset.sample_rate}
            lines.write(json.dumps(cut, ensure_ascii=False) + "\n")
            for field, (array, manifest) in _described(features.arrays(row["id"]), cut, preset).items():
                _add(tars[field], row["id"], array, manifest)


def _described(
    arrays: Mapping[str, np.ndarray], cut: Mapping[str, Any], preset: MelPreset
) -> dict[str, tuple[np.ndarray, dict[str, Any]]]:
    """Each field's array and lhotse's manifest of it: Features, TemporalArray or Array."""
    mel, frame_shift = arrays["mel"], preset.hop_samples / preset.sample_rate
    storage = {"storage_type": "shar", "storage_path": "", "storage_key": ""}
    described = {
        "type": preset.name, "num_frames": len(mel), "num_features": mel.shape[1], "frame_shift": frame_shift,
        "sampling_rate": preset.sample_rate, "start": 0, "duration": cut["duration"], **storage,
        "recording_id": cut["id"], "channels": cut["channel"],
    }  # fmt: skip
    fields: dict[str, tuple[np.ndarray, dict[str, Any]]] = {"features": (mel, described)}
    for name in ("f0_hz", "energy"):
        array = {"shape": list(arrays[name].shape), **storage}
        fields[name] = arrays[name], {"array": array, "temporal_dim": 0, "frame_shift": frame_shift, "start": 0}
    fields["durations"] = arrays["durations"], {"shape": list(arrays["durations"].shape), **storage}
    return fields


def _add(tar: tarfile.TarFile, item_id: str, array: np.ndarray, manifest: dict[str, Any]) -> None:
    """The two members of an item; their headers hold no time and no owner."""
    data = io.BytesIO()
    np.save(data, array, allow_pickle=False)
    for suffix, raw in ((".npy", data.getvalue()), (".json", json.dumps(manifest).encode() + b"\n")):
        info = tarfile.TarInfo(item_id + suffix)
        info.size = len(raw)
        tar.addfile(info, io.BytesIO(raw))

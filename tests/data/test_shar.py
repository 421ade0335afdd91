"""Shar shards: lhotse itself reads from them what the store holds, and equal features give equal bytes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from speechkd.cli.main import main
from speechkd.data.shar import write_shar
from speechkd.errors import ArtifactError, DataError, UsageError
from speechkd.runner import ItemStore, ItemWriter

lhotse = pytest.importorskip("lhotse")
HOP_S = 256 / 22050
IDS = [f"utt.{index}" for index in range(5)]


@pytest.fixture
def features(tmp_path: Path) -> Path:
    """A `features` artifact of five utterances, one of them of two channels."""
    folder = tmp_path / "run" / "features"
    draw = np.random.default_rng(0)
    rows = []
    with ItemWriter(folder, 2) as writer:
        for index, name in enumerate(IDS):
            n_frames = 40 + 7 * index
            arrays = {
                "mel": draw.normal(size=(n_frames, 80)).astype(np.float32),
                "f0_hz": draw.random(n_frames).astype(np.float32),
                "energy": draw.random(n_frames).astype(np.float32),
                "durations": np.array([n_frames - 3, 3], dtype=np.int32),
            }
            writer.add(name, arrays, {"n_frames": n_frames})
            channels = [0, 1] if index == 3 else [0]
            samples = n_frames * 256 + 200  # a rest that is no whole frame
            duration_s = samples / 22050
            recording = {
                "id": name, "sources": [{"type": "file", "channels": channels, "source": f"wavs/{name}.wav"}],
                "sampling_rate": 22050, "num_samples": samples, "duration": duration_s, "channel_ids": channels,
            }  # fmt: skip
            channel = channels[0] if len(channels) == 1 else channels
            supervision = {
                "id": name, "recording_id": name, "start": 0.0, "duration": duration_s, "channel": channel, "text": "é"
            }  # fmt: skip
            rows.append(
                {
                    "id": name, "start": 0, "duration": duration_s, "channel": channel, "supervisions": [supervision],
                    "recording": recording, "custom": {"n_frames": n_frames, "mel": "hifigan_22k"},
                    "type": "MonoCut" if len(channels) == 1 else "MultiCut",
                }
            )  # fmt: skip
    (folder / "cuts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_lhotse_reads_what_the_store_holds(features: Path, tmp_path: Path) -> None:
    store = ItemStore(features)
    assert write_shar(store, features / "cuts.jsonl", tmp_path / "shar", shard_size=2) == 5
    assert len(list((tmp_path / "shar").glob("features.*.tar"))) == 3
    cuts = list(lhotse.CutSet.from_shar(in_dir=tmp_path / "shar"))
    assert [cut.id for cut in cuts] == IDS
    for cut in cuts:
        arrays = store.arrays(cut.id)
        np.testing.assert_array_equal(cut.load_features(), arrays["mel"])
        for name in ("f0_hz", "energy", "durations"):
            np.testing.assert_array_equal(cut.load_custom(name), arrays[name])
        assert cut.supervisions[0].text == "é" and cut.duration == pytest.approx(len(arrays["mel"]) * HOP_S)


def test_shuffled_shards_give_every_utterance(features: Path, tmp_path: Path) -> None:
    write_shar(ItemStore(features), features / "cuts.jsonl", tmp_path / "shar", shard_size=1)
    orders = [
        [cut.id for cut in lhotse.CutSet.from_shar(in_dir=tmp_path / "shar", shuffle_shards=True, seed=seed)]
        for seed in range(4)
    ]
    assert all(sorted(order) == IDS for order in orders) and len(set(map(tuple, orders))) > 1


def test_equal_bytes(features: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_shar(ItemStore(features), features / "cuts.jsonl", tmp_path / name)
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files == [f"{name}.000000.{'jsonl' if name == 'cuts' else 'tar'}"
                     for name in ("cuts", "durations", "energy", "f0_hz", "features")]  # fmt: skip
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in files)


def test_wrong_calls_leave_nothing(features: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="exists already"):
        write_shar(ItemStore(features), features / "cuts.jsonl", tmp_path)
    with pytest.raises(DataError, match="nothing to write"):
        write_shar(ItemStore(features), features / "cuts.jsonl", tmp_path / "out", ids=["nobody"])
    (features / "cuts.jsonl").write_text("{")
    with pytest.raises(ArtifactError, match="cannot read the cuts"):
        write_shar(ItemStore(features), features / "cuts.jsonl", tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


def test_command(features: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, out = features.parent, tmp_path / "out"
    (run / "manifest").mkdir()
    (run / "manifest" / "splits.json").write_text(json.dumps({"train": IDS[:3], "valid": IDS[3:]}))
    assert main(["data", "shar", str(run), str(out), "--part", "train"]) == 0
    assert capsys.readouterr().out == f"3 utterances in {out}\n"
    assert [cut.id for cut in lhotse.CutSet.from_shar(in_dir=out)] == IDS[:3]
    assert main(["data", "shar", str(run), str(tmp_path / "x"), "--part", "moon"]) == 2
    assert "Its parts: train, valid" in capsys.readouterr().err

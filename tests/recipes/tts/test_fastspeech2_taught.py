"""FastSpeech 2 taught by several that read texts: what they say together, which texts, and how batches are mixed."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
import yaml

from recipes.tts.common.dataset import TtsDataset
from recipes.tts.common.origin import Taught
from recipes.tts.common.results import command
from recipes.tts.common.texts import TextBatch
from recipes.tts.fastspeech2 import RECIPE
from recipes.tts.fastspeech2.config import AugmentSection
from recipes.tts.fastspeech2.plan import plan, target_specs
from recipes.tts.fastspeech2.readers import Readers, live_readers, open_readers, read_together
from recipes.tts.fastspeech2.sentences import Sentences, open_sentences
from recipes.tts.fastspeech2.task import FastSpeech2Task, fastspeech2_losses
from recipes.tts.fastspeech2.taught import TaughtTask, frames_per_token, read_batch
from recipes.tts.fastspeech2.train import begin_as, model_config
from speechkd.config import ConfigErrors, load_config
from speechkd.data.corpus import Corpus, Utterance
from speechkd.data.manifests import write_manifests
from speechkd.errors import ConfigError
from speechkd.models.tts.config import NetworkConfig
from speechkd.models.tts.fastspeech2 import FastSpeech2
from speechkd.models.tts.load import save_model
from speechkd.text import ENGLISH_SYMBOLS
from speechkd.training.loop import fit
from speechkd.training.options import TrainOptions
from tests.recipes.tts.features import TINY_NETWORKS, write_features
from tests.training.test_loop import Recorder

IDS = ["u0", "u1", "u2", "u3"]
WITHOUT = {"pitch": {"target": "none"}, "energy": {"target": "none"}}
SMALL = {"model": {"pitch": {"target": "f0", "level": "phoneme"}, "energy": {"level": "phoneme"}}}
LOG = logging.getLogger("test")


class Bench:
    """Made-up features, models on them, and a few texts."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.artifacts = folder, write_features(folder)

    def network(self, kind: str = "small", **changes: Any) -> NetworkConfig:
        return NetworkConfig.model_validate(TINY_NETWORKS[kind] | changes)

    def model(self, seed: int, kind: str = "small", **changes: Any) -> FastSpeech2:
        """An untrained model whose phones last about three frames."""
        data = TtsDataset(*self.artifacts, self.network(kind, **changes))
        torch.manual_seed(seed)
        model = FastSpeech2(model_config(data.network, data.symbols, data.statistics)).eval()
        torch.nn.init.constant_(model.duration_predictor.project.bias, 1.4)
        return model

    def task(self, student: FastSpeech2, teacher: Any, share: float = 0.5, **augment: float) -> TaughtTask:
        data = TtsDataset(*self.artifacts, student.config.network)
        recorded = FastSpeech2Task(student, data, IDS[:3], IDS[3:], 60, AugmentSection(**augment), mel_loss="mse")
        return TaughtTask(recorded, SENTENCES, teacher, share)


SENTENCES = Sentences({f"text/{n}": (2, *range(10, 14 + n % 5), 3) for n in range(12)})


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("taught"))


def alone(batch: TextBatch, row: int) -> TextBatch:
    """One text of a batch, without padding."""
    length = int(batch.token_lengths[row])
    rows = slice(row, row + 1)
    return TextBatch(batch.ids[rows], batch.tokens[rows, :length], batch.token_lengths[rows], batch.speakers[rows])


def test_readers_say_the_mean_of_what_each_says_at_their_common_durations(bench: Bench) -> None:
    """By hand, text by text and reader by reader, through `infer`; padding changes nothing."""
    readers, batch = [bench.model(1), bench.model(2), bench.model(3)], SENTENCES.batch(["text/0", "text/3", "text/4"])
    with torch.no_grad():
        read = read_together(Readers(readers, bench.network()), batch)
    for row in range(3):
        text = alone(batch, row)
        n_tokens = text.tokens.shape[1]
        said = [each.infer(text.tokens, text.token_lengths) for each in readers]
        logs = torch.stack([each.log_durations[0] for each in said if each.log_durations is not None]).mean(dim=0)
        exact = torch.expm1(logs.double())
        frames = read["durations"][row, :n_tokens]
        assert int((frames.sum() - exact.sum()).abs()) <= n_tokens  # rounded one by one, pauses may vanish
        again = [each.infer(text.tokens, text.token_lengths, durations=frames[None]) for each in readers]
        n_frames = int(frames.sum())
        mel = torch.stack([each.mel[0] for each in again]).mean(dim=0)
        torch.testing.assert_close(read["mel"][row, :n_frames], mel, atol=1e-4, rtol=1e-4)
        assert not read["mel"][row, n_frames:].any()
        f0 = torch.stack([each.f0_hz[0] for each in again if each.f0_hz is not None]).log().mean(dim=0).exp()
        torch.testing.assert_close(read["pitch_hz"][row, :n_tokens], f0, atol=1e-2, rtol=1e-4)


def test_pitch_and_energy_are_of_those_that_have_them_and_mels_of_the_readers(bench: Bench) -> None:
    knows, batch = bench.model(1), SENTENCES.batch(["text/1", "text/2"])
    mute = bench.model(2, **WITHOUT)
    torch.nn.init.constant_(mute.duration_predictor.project.bias, 1.4)
    with torch.no_grad():
        both, one = (read_together(Readers(who, bench.network()), batch) for who in ([knows, mute], [knows]))
        none = read_together(Readers([mute], bench.network(**WITHOUT)), batch)
        told = read_together(Readers([mute], bench.network(), knows), batch)
    for name in ("pitch_hz", "energy"):
        torch.testing.assert_close(both[name], one[name])
        assert not none[name].any()
    alone = mute.infer(batch.tokens, batch.token_lengths)
    torch.testing.assert_close(told["mel"], alone.mel)
    assert told["durations"].equal(alone.durations)
    free = knows.infer(batch.tokens, batch.token_lengths, durations=alone.durations)
    torch.testing.assert_close(told["pitch_hz"], free.f0_hz)
    assert both["mel"].shape != one["mel"].shape or not torch.allclose(both["mel"], one["mel"])


@pytest.mark.parametrize("kind", ["small", "frames"])
def test_a_student_that_is_its_teacher_has_nothing_to_learn_of_texts(bench: Bench, kind: str) -> None:
    """What is read stands where recordings stand: only the rounding of durations is left of the loss."""
    teacher = bench.model(1, kind)
    task = bench.task(bench.model(1, kind), live_readers(Readers([teacher], bench.network(kind)), "me"))
    with torch.no_grad():
        losses = task.losses(task.model, task.load(["text/0", "text/4"]), step=1)
    assert set(losses) == {"mel", "duration", "pitch", "energy"}
    assert float(losses["mel"]) < 1e-6 and float(losses["energy"]) < 1e-6
    if kind == "small":  # per frame there is cross-entropy of voicing as well, which is never 0
        assert float(losses["pitch"]) < 1e-6
    assert 0 < float(losses["duration"]) < 0.05
    other = bench.task(bench.model(2, kind), task.teacher)
    assert float(other.losses(other.model, other.load(["text/0", "text/4"]), 1)["mel"].detach()) > 1e-3


def test_texts_may_hear_the_students_own_pitch_as_recordings_do(bench: Bench) -> None:
    task = bench.task(bench.model(2), live_readers(Readers([bench.model(1)], bench.network()), "me"), own_variances=1.0)
    read = task._read(task.load(["text/0", "text/1"]))
    assert read.variances.own is not None and read.variances.own.all()
    assert task.load(["u0"]).variances.own.all()
    assert bench.task(task.model, task.teacher)._read(task.load(["text/0"])).variances.own is None


def test_pauses_of_texts_are_known_and_padding_is_none(bench: Bench) -> None:
    pause = ENGLISH_SYMBOLS.encode(["|"])[0]
    batch = Sentences({"text/0": (2, 10, pause, 11, 3), "text/1": (2, 10, 3)}).batch(["text/0", "text/1"])
    with torch.no_grad():
        read = read_together(Readers([bench.model(1)], bench.network()), batch)
    made = read_batch(batch, read, TtsDataset(*bench.artifacts, bench.network()).silent)
    silent = TtsDataset(*bench.artifacts, bench.network()).silent
    for row, length in enumerate((5, 3)):
        known = [int(token) in silent for token in batch.tokens[row, :length]]
        assert made.pauses[row].tolist() == known + [False] * (5 - length)
    assert made.pauses[0, 2] and made.mel_lengths.tolist() == read["durations"].sum(dim=1).tolist()


@pytest.mark.parametrize(("share", "expected"), [(0.5, 1.0), (0.75, 3.0), (0.2, 0.25)])
def test_the_share_of_the_batches_that_are_texts(bench: Bench, share: float, expected: float) -> None:
    task = bench.task(bench.model(2), live_readers(Readers([bench.model(1)], bench.network()), "me"), share)
    batches = task.epoch(5, 0)
    assert batches == task.epoch(5, 0) and batches != task.epoch(5, 1)
    texts = [ids for ids in batches if ids[0] in SENTENCES]
    recorded = [ids for ids in batches if ids[0] not in SENTENCES]
    assert sorted(id_ for ids in recorded for id_ in ids) == IDS[:3]
    assert len(texts) == round(expected * len(recorded))
    assert all((id_ in SENTENCES) == (ids[0] in SENTENCES) for ids in batches for id_ in ids)


def test_every_text_comes_once_before_any_comes_again(bench: Bench) -> None:
    task = bench.task(bench.model(2), live_readers(Readers([bench.model(1)], bench.network()), "me"))
    seen = list(chain.from_iterable(task._texts(1000, 7, 0)))
    assert sorted(seen[:12]) == sorted(SENTENCES.numbers) and set(seen[12:24]) == set(SENTENCES.numbers)


def test_texts_that_would_fill_more_than_a_batch_are_left_out(bench: Bench) -> None:
    task = bench.task(bench.model(2), live_readers(Readers([bench.model(1)], bench.network()), "me"))
    pace = frames_per_token(task.recorded.dataset, task.recorded.lengths)
    n_frames = sum(task.recorded.lengths.values())
    n_tokens = sum(len(task.recorded.dataset.tokens.meta(id_)["symbols"]) for id_ in IDS[:3])
    assert pace == pytest.approx(n_frames / n_tokens)
    sentences = Sentences({"text/0": (2,) * int(60 / pace), "text/1": (2,) * (int(60 / pace) + 1)})
    assert list(TaughtTask(task.recorded, sentences, task.teacher, 0.5).sentences.numbers) == ["text/0"]


def test_a_student_comes_nearer_to_its_teacher_on_texts_that_it_was_not_read(bench: Bench, tmp_path: Path) -> None:
    teacher, student = bench.model(1), bench.model(2)
    task = bench.task(student, live_readers(Readers([teacher], bench.network()), "me"), share=0.9)
    unread = Sentences({"text/90": (2, 12, 10, 13, 11, 3)}).batch(["text/90"])

    def distance() -> float:
        with torch.no_grad():
            read = read_together(Readers([teacher], bench.network()), unread)
            own = student.eval().infer(unread.tokens, unread.token_lengths, durations=read["durations"]).mel
        return float((own - read["mel"]).square().mean())

    before = distance()
    options = TrainOptions.model_validate({
        "max_steps": 150, "batch_frames": 60, "device": "cpu", "precision": "fp32", "threads": 1, "best_by": "last",
        "schedule": {"name": "cosine", "warmup_steps": 5}, "optimizer": {"name": "adamw", "learning_rate": 3e-3},
        "valid_every_steps": 150, "checkpoint_every_steps": 150,
    })  # fmt: skip
    trained = fit(task, options, tmp_path, Recorder())
    student.load_state_dict(trained.weights)
    assert distance() < 0.5 * before


def corpus(folder: Path, texts: Sequence[str], held_out: str) -> Path:
    """The artifact `manifest` of sentences, the last of which is held out."""
    folder.mkdir()
    wav = folder / "any.wav"
    soundfile.write(wav, np.zeros(800), 8000)
    rows = [Utterance(f"u{n}", text, wav, n + 1) for n, text in enumerate([*texts, held_out])]
    write_manifests(Corpus(folder, tuple(rows)), folder)
    names = [row.id for row in rows]
    splits = {"train": names[:-1], "valid": [], "test": names[-1:]}
    (folder / "splits.json").write_text(json.dumps(splits), encoding="utf-8")
    return folder


def reading(texts: Path | None) -> Any:
    text = SimpleNamespace(language="en-us", lexicon=None, day_first=False)
    return SimpleNamespace(teachers=SimpleNamespace(texts=texts), text=text)


def test_sentences_without_those_that_are_held_out_repeated_or_cannot_be_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    manifest = corpus(tmp_path / "manifest", ["Hello there."], "A secret sentence.")
    path = tmp_path / "texts.txt"
    path.write_text("Hello there.\n\n  Good day. \n...\nA SECRET sentence!\nGood day.\n", encoding="utf-8")
    with caplog.at_level(logging.INFO):
        found = open_sentences(reading(path), manifest, ENGLISH_SYMBOLS, LOG)
    assert len(found) == 2 and "2 texts to read; left out: 1 that are held out, 1 that cannot be said" in caplog.text
    first = found.batch(list(found.numbers))
    assert ENGLISH_SYMBOLS.decode(first.tokens[0, :5].tolist())[:2] == ["^", "HH"]


def test_without_a_file_or_a_sentence_there_is_one_clear_line(tmp_path: Path) -> None:
    manifest = corpus(tmp_path / "manifest", ["Hello there."], "A secret sentence.")
    empty, broken = tmp_path / "empty.txt", tmp_path / "broken.txt"
    empty.write_text("\n...\n", encoding="utf-8")
    broken.write_bytes(b"\xff\xfe\x00")
    for path, message in ((None, "no texts"), (empty, "no text that can be read"), (broken, "cannot be read"),
                          (tmp_path / "absent.txt", "cannot be read")):  # fmt: skip
        with pytest.raises(ConfigError, match=message):
            open_sentences(reading(path), manifest, ENGLISH_SYMBOLS, LOG)


def readers_of(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, student: NetworkConfig, **models: Any
) -> Any:
    monkeypatch.setattr("recipes.tts.fastspeech2.readers.check_teacher", lambda *_: None)
    folders = []
    for name, model in models.items():
        folders.append(tmp_path / name)
        folders[-1].mkdir()
        save_model(folders[-1], model)
    prosody = folders.pop() if "prosody" in models else None
    return open_readers(folders, prosody, student, Path(), Path(), None)


def test_readers_must_have_what_the_student_is_to_learn(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="no teacher has pitch"):
        readers_of(bench, tmp_path, monkeypatch, bench.network(), mute=bench.model(1, **WITHOUT))
    with pytest.raises(ConfigError, match="a teacher has another pitch"):
        readers_of(bench, tmp_path, monkeypatch, bench.network(), frames=bench.model(1, "frames"))
    opened = readers_of(
        bench, tmp_path, monkeypatch, bench.network(), one=bench.model(1), two=bench.model(2, **WITHOUT)
    )
    also = readers_of(
        bench, tmp_path, monkeypatch, bench.network(), three=bench.model(1, **WITHOUT), prosody=bench.model(2)
    )
    assert also.fingerprint != opened.fingerprint and len(also.model.readers) == 1 and len(also.model.all) == 2
    assert opened.specs == tuple(spec.by(opened.fingerprint) for spec in target_specs(bench.network()))
    assert not any(parameter.requires_grad for parameter in opened.model.parameters())
    assert not opened.model.train().training


def test_readers_that_come_from_two_voices_are_refused(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The student's card names one voice with its licence, and must not hide another."""
    starts = iter(["a", "b"])

    def origins(_: Path) -> dict[str, Any]:
        name = next(starts)
        return {"fine-tuned from": SimpleNamespace(name=f"voice {name}", weights_sha256=name)}

    monkeypatch.setattr("recipes.tts.fastspeech2.readers.origins", origins)
    with pytest.raises(ConfigError, match="different voices") as caught:
        readers_of(bench, tmp_path, monkeypatch, bench.network(), one=bench.model(1), two=bench.model(2))
    assert "voice a, voice b" in str(caught.value)


def test_the_account_of_who_read(tmp_path: Path) -> None:
    told = Taught(("a", "b"), "texts.txt", 12)
    told.write(tmp_path)
    assert Taught.read(tmp_path) == told and dataclasses.asdict(told)["n_texts"] == 12
    assert told.in_words() == "the mean of 2 models, which read 12 texts (texts.txt)"
    assert Taught.read(tmp_path / "elsewhere") is None


def conf(tmp_path: Path, **sections: Any) -> Any:
    train = {"max_steps": 10, "batch_frames": 60, "schedule": {"name": "cosine", "warmup_steps": 1}}
    content = {"recipe": RECIPE.name, "run": {"dir": "run"}, "corpus": {"name": "mini"}, "pack": {"name": "x"}}
    content |= {"train": train} | sections
    path = tmp_path / "conf.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return load_config(path, RECIPE.config)


def test_the_plan_tells_who_feeds_what(tmp_path: Path) -> None:
    taught = plan(conf(tmp_path, teachers={"models": ["a/model", "b/model"], "share": 0.25}, **SMALL))
    assert not taught.stored and "a/model" in taught.teacher and not taught.unread()
    assert {term.name: term.targets for term in taught.terms}["pitch"] == ("pitch_hz", "voiced")
    assert "25% of the batches" in taught.notes[0]
    recorded = plan(conf(tmp_path, **SMALL))
    assert not recorded.targets and recorded.teacher.startswith("nobody")
    without = plan(conf(tmp_path, model={"pitch": {"target": "none"}, "energy": {"target": "none"}}))
    assert [term.name for term in without.terms] == ["mel", "duration"]


def test_wavelets_cannot_be_taught(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors, match="wavelet"):
        conf(tmp_path, teachers={"models": ["a/model"]})


def test_a_student_may_begin_by_saying_what_its_first_teacher_says(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """The teacher knows no pitch and energy; the student's own have no say at first, and can be learned."""
    teacher, student = bench.model(1, **WITHOUT), bench.model(2)
    data = TtsDataset(*bench.artifacts, bench.network())
    with caplog.at_level(logging.INFO):
        begin_as(student, teacher, data.symbols, LOG)
    assert "starts from its first teacher" in caplog.text
    texts = SENTENCES.batch(["text/0", "text/4"])
    said = [model.eval().infer(texts.tokens, texts.token_lengths) for model in (teacher, student)]
    torch.testing.assert_close(said[0].mel, said[1].mel)
    assert said[0].durations.equal(said[1].durations)
    batch = data.batch(IDS[:2])
    losses = fastspeech2_losses(
        student.train()(batch.tokens, batch.token_lengths, batch.variances), batch, data.statistics
    )
    torch.stack(list(losses.values())).sum().backward()
    assert student.pitch is not None and student.pitch.embedding.weight.grad is not None
    assert student.pitch.embedding.weight.grad.any()


def test_training_starts_from_one_model_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recipes.tts.fastspeech2.config.init_problems", lambda *_: ())
    with pytest.raises(ConfigErrors, match="take one of the two"):
        conf(tmp_path, teachers={"models": ["a"], "start": "first"}, init={"voice": "b"}, **SMALL)
    assert (
        "starts from the weights"
        in plan(conf(tmp_path, teachers={"models": ["a"], "start": "first"}, **SMALL)).notes[-1]
    )


def test_the_command_names_the_texts_and_how_the_voice_was_packed() -> None:
    cfg = SimpleNamespace(
        results=SimpleNamespace(conf="taught"), corpus=SimpleNamespace(name="mini", dir=None),
        vocoder=SimpleNamespace(type="griffinlim"), pack=SimpleNamespace(onnx=True, int8=True),
    )  # fmt: skip
    expected = "egs/mini/tts1/run.sh taught --set pack.onnx=true --set pack.int8=true --set teachers.texts=texts.txt"
    assert command(cfg, taught=Taught(("a",), "texts.txt", 3)) == expected

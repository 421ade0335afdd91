"""A packed voice speaks as promised, and a damaged one says what is wrong with it."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import soundfile
import torch

from speechkd.audio.mel import MEL_PRESETS
from speechkd.errors import ArtifactError, ConfigError, DataError, ResourceError, UsageError
from speechkd.models.vocoder.config import HIFIGAN_V2
from speechkd.models.vocoder.griffinlim import GriffinLim
from speechkd.models.vocoder.hifigan import HifiGan
from speechkd.models.vocoder.load import HifiGanVocoder
from speechkd.synthesis import load_voice
from speechkd.text import ENGLISH_SYMBOLS, EnglishFrontend, SymbolTable
from tests.synthesis.standin import PRESET, STAND_INS, StandIn, StandInConfig, pack

HOP_S = MEL_PRESETS[PRESET].hop_s
# The first and last samples of a line are faded.
INSIDE = slice(100, -100)
TEXT = "The zyx sat, then it slept. Did it?"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("packed") / "voice"
    pack(path)
    return path


@pytest.fixture(scope="module")
def voice(folder):
    return load_voice(folder, STAND_INS)


def copy(folder, tmp_path):
    target = tmp_path / "voice"
    target.mkdir()
    for file in folder.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    return target


def test_length_is_the_durations_times_the_hop(voice):
    tokens = EnglishFrontend({"zyx": ["Z", "IH1", "K", "S"]})
    frames = 0
    for sentence in ("The zyx sat, then it slept.", "Did it?"):
        numbers = ENGLISH_SYMBOLS.encode(tokens.tokens(sentence).symbols)
        frames += sum(0 if ENGLISH_SYMBOLS.symbols[n] == "|" else (2 + n % 3) * 2 for n in numbers)
    speech = voice.synthesize(TEXT, pauses=0)
    assert len(speech.samples) == frames * 256
    assert speech.samples.dtype == np.float32
    assert np.abs(speech.samples).max() <= 1.0
    assert speech.sample_rate == voice.sample_rate == 22050


def test_words_and_phones_tile_the_audio(voice):
    speech = voice.synthesize(TEXT, pauses=0)
    assert [word.text for word in speech.words] == ["the", "zyx", "sat", "then", "it", "slept", "did", "it"]
    starts = [phone.start_s for phone in speech.phones]
    ends = [phone.end_s for phone in speech.phones]
    assert starts[0] == 0
    assert starts[1:] == pytest.approx(ends[:-1])
    assert ends[-1] == pytest.approx(speech.duration_s, abs=HOP_S / 2)
    inside = [
        phone for phone in speech.phones if speech.words[1].start_s - 1e-9 <= phone.start_s < speech.words[1].end_s
    ]
    assert [phone.text for phone in inside] == ["Z", "IH1", "K", "S"]
    # The comma, both sentence ends and both openings are pauses; word boundaries last nothing here.
    assert sum(phone.text == "" for phone in speech.phones) == 5
    assert all(word.end_s > word.start_s for word in speech.words)


def test_sentences_of_a_long_text_follow_each_other(voice):
    both = voice.synthesize(TEXT, pauses=0)
    first, second = (voice.synthesize(part) for part in ("The zyx sat, then it slept.", "Did it?"))
    np.testing.assert_array_equal(both.samples, np.concatenate([first.samples, second.samples]))
    assert both.words[-1].end_s == pytest.approx(first.duration_s + second.words[-1].end_s)
    assert len(voice.synthesize("Did it? " * 20, pauses=0).samples) == 20 * len(second.samples)


def test_the_same_call_gives_the_same_samples_and_leaves_the_seeds_alone(voice):
    state = torch.random.get_rng_state()
    first = voice.synthesize(TEXT, seed=3).samples
    assert torch.equal(state, torch.random.get_rng_state())
    torch.manual_seed(99)
    np.testing.assert_array_equal(first, voice.synthesize(TEXT, seed=3).samples)


def test_controls_reach_the_model(voice):
    plain = voice.synthesize("Did it?")
    assert len(voice.synthesize("Did it?", speed=2).samples) == len(plain.samples) / 2
    loud = voice.synthesize("Did it?", energy=0.5).samples
    assert np.std(loud) < 0.7 * np.std(plain.samples)
    assert not np.array_equal(voice.synthesize("Did it?", pitch=2).samples, plain.samples)


@pytest.mark.parametrize(
    ("control", "value"),
    [("speed", 0.2), ("speed", 4.1), ("speed", math.nan), ("pitch", -12.5), ("pitch", math.inf), ("energy", 0)],
)
def test_controls_have_ranges(voice, control, value):
    with pytest.raises(UsageError, match=f"{control} is"):
        voice.synthesize("Hello.", **{control: value})


@pytest.mark.parametrize("text", ["", "  \n", "... --- !"])
def test_nothing_to_speak_is_said(voice, text):
    with pytest.raises(UsageError, match="nothing to speak"):
        voice.synthesize(text)


def test_a_sentence_without_words_is_passed_over(voice):
    np.testing.assert_array_equal(
        voice.synthesize("Did it? ... Did it?", pauses=0).samples, np.tile(voice.synthesize("Did it?").samples, 2)
    )


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".WAV"])
def test_save_writes_the_samples(voice, tmp_path, suffix):
    speech = voice.synthesize("Did it?")
    path = speech.save(tmp_path / "new" / f"out{suffix}")
    samples, rate = soundfile.read(path, dtype="float32")
    assert rate == speech.sample_rate
    np.testing.assert_allclose(samples, speech.samples, atol=1 / 32000)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_save_never_leaves_half_a_file(voice, tmp_path, monkeypatch):
    speech = voice.synthesize("Did it?")
    path = tmp_path / "out.wav"
    path.write_bytes(b"older")

    def full(draft, *_rest):
        draft.write_bytes(b"RIFF half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("speechkd.synthesis.speech.write_pieces", full)
    with pytest.raises(ResourceError, match="No space left"):
        speech.save(path)
    assert path.read_bytes() == b"older"
    assert [file.name for file in tmp_path.iterdir()] == ["out.wav"]


def test_save_says_what_it_cannot_do(voice, tmp_path):
    speech = voice.synthesize("Did it?")
    with pytest.raises(UsageError, match="no known format"):
        speech.save(tmp_path / "out.mp4")
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match="cannot be written"):
        speech.save(tmp_path / "file" / "out.wav")


def test_times_are_plain_json(voice):
    speech = voice.synthesize("Did it?")
    times = json.loads(json.dumps(speech.times()))
    assert set(times) == {"sample_rate", "duration_s", "words", "phones", "marks"}
    assert times["duration_s"] == pytest.approx(len(speech.samples) / 22050, abs=1e-4)
    assert times["words"][0]["text"] == "did"
    assert times["words"][0]["start_s"] == pytest.approx(speech.words[0].start_s, abs=1e-4)
    assert len(times["phones"]) == len(speech.phones)


def test_packing_twice_gives_the_same_bytes(folder, tmp_path):
    pack(tmp_path / "again")
    assert {f.name: f.read_bytes() for f in folder.iterdir()} == {
        f.name: f.read_bytes() for f in (tmp_path / "again").iterdir()
    }


def test_a_voice_with_hifigan_speaks(tmp_path):
    torch.manual_seed(1)
    generator = HifiGan(HIFIGAN_V2).eval()
    manifest = pack(tmp_path / "voice", HifiGanVocoder(generator, PRESET))
    assert "vocoder.safetensors" in manifest.files
    voice = load_voice(tmp_path / "voice", STAND_INS)
    tokens = EnglishFrontend().tokens("Did it?")
    torch.manual_seed(0)
    with torch.inference_mode():
        numbers = torch.tensor([ENGLISH_SYMBOLS.encode(tokens.symbols)])
        expected = generator(StandIn(StandInConfig()).infer(numbers, torch.tensor([8])).mel.transpose(1, 2))[0]
    spoken = voice.synthesize("Did it?").samples
    np.testing.assert_allclose(spoken[INSIDE], expected.numpy()[INSIDE], atol=1e-6)


@pytest.mark.parametrize("name", ["voice.json", "acoustic.safetensors", "symbols.json", "lexicon.txt", "card.md"])
def test_a_missing_file_is_named(folder, tmp_path, name):
    broken = copy(folder, tmp_path)
    (broken / name).unlink()
    with pytest.raises(ArtifactError, match=name) as raised:
        load_voice(broken, STAND_INS)
    assert raised.value.exit_code == 5
    assert raised.value.todo


@pytest.mark.parametrize("name", ["acoustic.safetensors", "symbols.json", "lexicon.txt", "card.md"])
@pytest.mark.parametrize("damage", ["torn", "flipped", "emptied"])
def test_a_damaged_file_is_named(folder, tmp_path, name, damage):
    broken = copy(folder, tmp_path)
    data = (broken / name).read_bytes()
    flipped = data[:-1] + bytes([data[-1] ^ 1])
    (broken / name).write_bytes({"torn": data[: len(data) // 2], "flipped": flipped, "emptied": b""}[damage])
    with pytest.raises(ArtifactError, match="damaged") as raised:
        load_voice(broken, STAND_INS)
    assert name in str(raised.value)


def edit(folder, change):
    path = folder / "voice.json"
    raw = json.loads(path.read_text())
    change(raw)
    path.write_text(json.dumps(raw))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda raw: raw.update(format=2), "format is 2"),
        (lambda raw: raw.pop("format"), "format is None"),
        (lambda raw: raw.update(more=1), "more"),
        (lambda raw: raw.pop("symbols", raw.pop("name")), "name"),
        (lambda raw: raw["mel"].update(preset="other_44k"), "other_44k"),
        (lambda raw: raw["mel"]["shape"].update(fmax_hz=7600.0), "mel preset is not this version's"),
        (lambda raw: raw.update(sample_rate=16000), "mel preset is not this version's"),
        (lambda raw: raw["acoustic"].update(model="oracle"), "oracle"),
        (lambda raw: raw["acoustic"]["config"].update(n_mels=4), "does not fit its weights"),
        (lambda raw: raw["files"].pop("card.md"), "card.md has no digest"),
        (lambda raw: raw["files"].update({"../x": "0" * 64}), "no plain file name"),
        (lambda raw: raw.update(vocoder={"type": "hifigan", "config": HIFIGAN_V2.model_dump()}), "vocoder.safetensors"),
    ],
)
def test_a_description_that_is_wrong_is_said(folder, tmp_path, change, message):
    broken = copy(folder, tmp_path)
    edit(broken, change)
    with pytest.raises(ArtifactError, match=message):
        load_voice(broken, STAND_INS)


def test_a_torn_description_and_no_folder_are_said(folder, tmp_path):
    broken = copy(folder, tmp_path)
    (broken / "voice.json").write_bytes((broken / "voice.json").read_bytes()[:50])
    with pytest.raises(ArtifactError, match="cannot be read"):
        load_voice(broken)
    with pytest.raises(ArtifactError, match="does not exist"):
        load_voice(tmp_path / "nowhere")


def test_parts_that_do_not_fit_are_not_packed(tmp_path):
    with pytest.raises(ConfigError, match="different mel presets"):
        pack(tmp_path / "a", GriffinLim("hifigan_16k"))
    with pytest.raises(ConfigError, match="n_symbols"):
        pack(tmp_path / "b", symbols=SymbolTable(("_", "^", "AA1")))
    with pytest.raises(ConfigError, match="n_mels"):
        pack(tmp_path / "c", acoustic=StandIn(StandInConfig(n_mels=40)))
    assert not any(tmp_path.iterdir())
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "thesis.txt").write_text("precious")
    with pytest.raises(UsageError, match="not empty"):
        pack(tmp_path / "d")


def test_fastspeech2_travels_through_a_voice(tmp_path):
    from speechkd.models.tts.config import FastSpeech2Config, NetworkConfig, VarianceStatistics
    from speechkd.models.tts.fastspeech2 import FastSpeech2

    small = {"layers": 1, "conv_channels": 8, "conv_kernel": 3}
    config = FastSpeech2Config(
        network=NetworkConfig.model_validate(
            {"hidden": 8, "encoder": small, "decoder": small, "predictor": {"channels": 8}}
        ),
        n_symbols=len(ENGLISH_SYMBOLS),
        n_mels=80,
        pause_ids=tuple(ENGLISH_SYMBOLS.encode(["|", ",", "."])),
        statistics=VarianceStatistics(
            f0_min_hz=80, f0_max_hz=400, log_f0_mean=5, log_f0_deviation=0.3, energy_min=0, energy_max=100,
            energy_mean=20, energy_deviation=10, mel_mean=(-5.0,) * 80, mel_deviation=(2.0,) * 80,
        ),
    )  # fmt: skip
    torch.manual_seed(2)
    model = FastSpeech2(config).eval()
    pack(tmp_path / "voice", acoustic=model)
    voice = load_voice(tmp_path / "voice")
    speech = voice.synthesize("Hello world.")
    tokens = EnglishFrontend().tokens("Hello world.")
    numbers = torch.tensor([ENGLISH_SYMBOLS.encode(tokens.symbols)])
    made = model.infer(numbers, torch.tensor([numbers.shape[1]]))
    assert len(speech.samples) == int(made.mel_lengths[0]) * 256
    expected = GriffinLim(PRESET, n_iter=2)(made.mel)[0].clamp(-1, 1)
    np.testing.assert_allclose(speech.samples[INSIDE], expected.numpy()[INSIDE], atol=1e-5)


def test_a_wrong_inline_phone_is_said_not_passed_over(voice):
    """Only sentences without a word are passed over; a mistake in one of several sentences is the user's to know."""
    with pytest.raises(DataError, match="HX"):
        voice.synthesize("Hello there. Say [[HX AH0]] now.")


def test_a_voice_reads_dates_as_its_training_did(voice, tmp_path):
    """03/04/2026: March fourth by default, the third of April for a voice packed with the day first."""
    pack(tmp_path / "day", day_first=True)
    day = load_voice(tmp_path / "day", STAND_INS)
    assert [word.text for word in day.synthesize("03/04/2026").words][:3] == ["april", "third", "twenty"]
    assert [word.text for word in voice.synthesize("03/04/2026").words][:3] == ["march", "fourth", "twenty"]


def test_speakers_are_chosen_by_name(tmp_path):
    pack(tmp_path / "voice", acoustic=StandIn(StandInConfig(speakers=("ann", "ben"))))
    voice = load_voice(tmp_path / "voice", STAND_INS)
    assert voice.speakers == ("ann", "ben")
    spoken = {name: voice.synthesize("hello", speaker=name).samples for name in (None, "ann", "ben")}
    assert np.array_equal(spoken[None], spoken["ann"]) and not np.array_equal(spoken["ann"], spoken["ben"])
    with pytest.raises(UsageError, match="no speaker 'cat'. Known: ann, ben"):
        voice.synthesize("hello", speaker="cat")


def test_a_control_that_the_model_lacks_is_refused_not_ignored(tmp_path):
    pack(tmp_path / "voice", acoustic=StandIn(StandInConfig(controls=("speed",))))
    voice = load_voice(tmp_path / "voice", STAND_INS)
    assert voice.synthesize("hello", speed=2.0).duration_s < voice.synthesize("hello").duration_s
    with pytest.raises(UsageError, match="no control of pitch: it obeys speed, energy, volume, pauses"):
        voice.synthesize("hello", pitch=3.0)

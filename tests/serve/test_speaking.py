"""Speech over HTTP: the samples are the voice's own, in every format and however they are sent."""

from __future__ import annotations

import base64
import io
import json
import shutil
import subprocess
import wave
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import openai
import pytest
import soundfile

from speechkd.audio.formats import FORMATS
from speechkd.audio.io import resample
from speechkd.serve.voices import VoiceTable
from tests.serve.running import Running, error

TEXT = "It works. Does it, too, when there are two sentences?"


def pcm_of(voices: VoiceTable, **controls: float) -> bytes:
    """What the voice itself gives, as 16-bit samples: those that `Speech.save` writes."""
    speech = voices.find(None).synthesize(TEXT, **controls)
    file = io.BytesIO()
    soundfile.write(file, speech.samples, speech.sample_rate, format="WAV", subtype="PCM_16")
    file.seek(0)
    with wave.open(file) as reader:
        return reader.readframes(reader.getnframes())


@pytest.fixture
def client(server: Running) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)


def test_openais_client_gets_the_voices_own_samples(client: openai.OpenAI, voices: VoiceTable) -> None:
    answer = client.audio.speech.create(model="tts-1", voice="kathleen", input=TEXT, response_format="pcm", speed=1.25)
    assert answer.content == pcm_of(voices, speed=1.25)


def test_openais_client_streams(client: openai.OpenAI, voices: VoiceTable, tmp_path: Path) -> None:
    call = client.audio.speech.with_streaming_response.create(
        model="speechkd", voice="kathleen", input=TEXT, response_format="pcm"
    )
    with call as answer:
        pieces = list(answer.iter_bytes())
    assert len(pieces) > 1 and b"".join(pieces) == pcm_of(voices)
    call = client.audio.speech.with_streaming_response.create(model="tts-1", voice="kathleen", input=TEXT)
    with call as answer:
        answer.stream_to_file(tmp_path / "it.mp3")
    assert soundfile.info(tmp_path / "it.mp3").subtype == "MPEG_LAYER_III"


def test_openais_client_understands_errors(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="the voices here are: kathleen") as caught:
        client.audio.speech.create(model="tts-1", voice="alloy", input=TEXT)
    assert caught.value.code == "voice_not_found" and caught.value.param == "voice"
    with pytest.raises(openai.BadRequestError, match="wav, .*mp3, .*pcm"):
        client.audio.speech.create(model="tts-1", voice="kathleen", input=TEXT, response_format="aac")
    with pytest.raises(openai.NotFoundError, match="models"):
        client.audio.speech.create(model="tts-9", voice="kathleen", input=TEXT)
    with pytest.raises(openai.UnprocessableEntityError, match="instructions"):
        client.audio.speech.create(model="tts-1", voice="kathleen", input=TEXT, instructions="Whisper.")


def test_openais_client_lists_models_and_events(client: openai.OpenAI, server: Running, voices: VoiceTable) -> None:
    assert "tts-1" in [model.id for model in client.models.list()]
    fields = {"model": "tts-1", "voice": {"id": "kathleen"}, "input": TEXT, "response_format": "pcm"}
    lines = server.client.post("/v1/audio/speech", json={**fields, "stream_format": "sse"}).text.splitlines()
    events = [json.loads(line.removeprefix("data: ")) for line in lines if line]
    kinds = [event["type"] for event in events]
    assert len(kinds) > 2 and set(kinds[:-1]) == {"speech.audio.delta"} and kinds[-1] == "speech.audio.done"
    assert b"".join(base64.b64decode(event["audio"]) for event in events[:-1]) == pcm_of(voices)


@pytest.mark.parametrize("name", sorted(FORMATS))
@pytest.mark.parametrize("stream", [False, True])
def test_every_format_holds_the_speech(server: Running, voices: VoiceTable, name: str, stream: bool) -> None:
    answer = server.say(TEXT, format=name, stream=stream)
    assert answer.status_code == 200 and answer.headers["content-type"] == FORMATS[name].media_type
    assert ("content-length" in answer.headers) != stream
    rate = int(answer.headers["x-sample-rate"])
    speech = voices.find(None).synthesize(TEXT)
    raw = {"samplerate": rate, "channels": 1, "format": "RAW", "subtype": "PCM_16"} if name == "pcm" else {}
    content = answer.content if name != "flac" else of_length(answer.content, len(speech.samples))
    samples, read_rate = soundfile.read(io.BytesIO(content), dtype="float32", **raw)
    # A streamed mp3 keeps the encoder's run-up and end.
    assert read_rate == rate and len(samples) / rate == pytest.approx(speech.duration_s, abs=0.12)
    if name in ("wav", "pcm", "flac"):
        assert np.abs(samples - speech.samples).max() <= 2**-15
    else:
        assert likeness(samples, resample(speech.samples, speech.sample_rate, rate)) > 0.9


def of_length(flac: bytes, n_samples: int) -> bytes:
    """The same flac with its length in the 36 bits of STREAMINFO that hold it: 0, as streamed, means unknown."""
    known = int.from_bytes(flac[21:26], "big") & (2**36 - 1)
    assert flac[:4] == b"fLaC" and known in (0, n_samples)
    return flac[:21] + bytes([flac[21] & 0xF0]) + n_samples.to_bytes(4, "big") + flac[26:]


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """The highest normalised cross-correlation of two sounds over all shifts: 1 for a copy."""
    size = len(one) + len(other)
    correlation = np.fft.irfft(np.fft.rfft(one, size) * np.conj(np.fft.rfft(other, size)), size)
    return float(correlation.max() / np.sqrt(np.sum(one.astype(float) ** 2) * np.sum(other.astype(float) ** 2)))


def test_the_same_request_gives_the_same_bytes_also_in_a_crowd(server: Running, voices: VoiceTable) -> None:
    with ThreadPoolExecutor(6) as crowd:
        answers = list(
            crowd.map(lambda stream: server.say(TEXT, format="pcm", stream=stream).content, [False, True] * 3)
        )
    assert set(answers) == {pcm_of(voices)}


def test_times_come_with_the_audio(server: Running, voices: VoiceTable) -> None:
    answer = server.say(TEXT, timestamps=True, format="wav").json()
    speech = voices.find(None).synthesize(TEXT)
    assert {name: answer[name] for name in speech.times()} == speech.times()
    assert soundfile.read(io.BytesIO(base64.b64decode(answer["audio"])))[1] == speech.sample_rate


def test_streamed_times_are_those_of_the_whole(server: Running, voices: VoiceTable) -> None:
    answer = server.say(TEXT, timestamps=True, stream=True, format="pcm")
    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert len(lines) > 1 and b"".join(base64.b64decode(line["audio"]) for line in lines) == pcm_of(voices)
    starts = [line["start_s"] + word["start_s"] for line in lines for word in line["words"]]
    expected = [word.start_s for word in voices.find(None).synthesize(TEXT).words]
    assert starts == pytest.approx(expected, abs=2e-4)


def test_controls_reach_the_voice(server: Running, voices: VoiceTable) -> None:
    controls = {"speed": 0.8, "pitch": 3.0, "energy": 1.5, "volume": 0.5, "pauses": 2.0}
    assert server.say(TEXT, format="pcm", **controls).content == pcm_of(voices, **controls)
    for name, value in (("speed", 4.1), ("pitch", -13), ("energy", 0.2), ("volume", 5), ("pauses", -1), ("seed", -1)):
        answer = server.say(TEXT, **{name: value})
        assert answer.status_code == 422 and error(answer)["param"] == name
    assert "no speaker 'Bob'" in error(server.say(TEXT, speaker="Bob"))["message"]
    assert server.say(TEXT, colour="red").status_code == 422


@pytest.mark.parametrize("text", ["", "   ", "— — —", "🎉"])
def test_nothing_to_speak_is_said_before_an_answer_begins(server: Running, text: str) -> None:
    for stream in (False, True):
        answer = server.say(text, stream=stream)
        assert answer.status_code == 422 and "nothing to speak" in error(answer)["message"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_curl(server: Running, tmp_path: Path) -> None:
    target = tmp_path / "it.wav"
    json_type = ["-H", "Content-Type: application/json"]
    call = ["curl", "-sSf", "-o", str(target), f"{server.url}/synthesize", *json_type, "-d", '{"text": "It works."}']
    subprocess.run(call, check=True, timeout=20)
    with wave.open(str(target)) as reader:
        assert reader.getframerate() == 22_050 and reader.getnframes() > 5_000


def test_voices_health_and_figures(server: Running, voices: VoiceTable) -> None:
    (voice,) = server.client.get("/v1/voices").json()["data"]
    assert (
        voice["name"] == "kathleen" and voice["sample_rate"] == 22_050 and set(voice["controls"]) >= {"speed", "pitch"}
    )
    assert "/" not in json.dumps(voice["name"]) and str(Path.cwd()) not in json.dumps(voice)
    assert server.client.get("/health").json() == {"status": "ok"}
    seconds, count = server.figure("speechkd_audio_seconds_total"), server.figure("speechkd_real_time_factor_count")
    server.say(TEXT)
    made_s = server.figure("speechkd_audio_seconds_total") - seconds
    assert made_s == pytest.approx(voices.find(None).synthesize(TEXT).duration_s)
    assert server.figure("speechkd_real_time_factor_count") == count + 1
    assert 'speechkd_requests_total{code="200",route="/synthesize"}' in server.client.get("/metrics").text

"""The same text, controls and seed give the same samples: from the command, Python, HTTP, a list and a stream."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import speechkd
from speechkd.synthesis.find import shipped_voices
from tests.serve.running import serving

ROOT = Path(__file__).resolve().parents[2]
RUN = "import sys\nfrom speechkd.cli.main import main\nif __name__ == '__main__':\n    sys.exit(main(sys.argv[1:]))\n"
TEXT = "The rain had stopped by the time they reached the old bridge. Nobody spoke; they walked on.\n\nIt was 9:05 pm."
SSML = '<speak>We <prosody rate="70%" pitch="+2st">never</prosody> said <break time="200ms"/> that. Did we?</speak>'
CONTROLS: dict[str, Any] = {"speed": 1.2, "pitch": -2.0, "energy": 1.3, "volume": 0.8, "pauses": 1.5, "seed": 7}


def pcm(samples: np.ndarray) -> np.ndarray:
    """As libsndfile writes samples in 16 bits."""
    file = io.BytesIO()
    soundfile.write(file, samples, 22_050, format="RAW", subtype="PCM_16", endian="LITTLE")
    return np.frombuffer(file.getvalue(), "<i2")


def wav(source: Any) -> np.ndarray:
    samples: np.ndarray = soundfile.read(source, dtype="int16")[0]
    return samples


@pytest.mark.parametrize("key", ["text", "ssml"])
def test_it_is_the_same_wherever_it_is_asked(key: str, tmp_path: Path) -> None:
    from speechkd.serve.voices import load_voices

    said = {"text": TEXT, "ssml": SSML}[key]
    folder = shipped_voices()[0].folder
    ssml = key == "ssml"
    voice = speechkd.load_voice(folder)
    expected = pcm(voice.synthesize(said, ssml=ssml, **CONTROLS).samples)
    found = {"stream": pcm(np.concatenate([each.samples for each in voice.stream(said, ssml=ssml, **CONTROLS)]))}

    def command(*arguments: str) -> None:
        options = [part for name, value in CONTROLS.items() for part in (f"--{name}", str(value))]
        call = [sys.executable, "-c", RUN, "synthesize", "--voice", str(folder), *arguments]
        options = [] if "--out-dir" in arguments else options
        subprocess.run([*call, *options], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, check=True)

    (tmp_path / "said.txt").write_text(said)
    command("--file", "said.txt", "-o", "command.wav", *(["--ssml"] if ssml else []))
    found["command"] = wav(tmp_path / "command.wav")
    (tmp_path / "list.jsonl").write_text(json.dumps({"id": "one", key: said, **CONTROLS}))
    command("--file", "list.jsonl", "--out-dir", "out")
    found["list"] = wav(tmp_path / "out" / "one.wav")
    with serving(load_voices([str(folder)])) as server:
        for streamed in (False, True):
            body = {key: said, "stream": streamed, "format": "pcm", **CONTROLS}
            answer = server.client.post("/synthesize", json=body)
            assert answer.status_code == 200
            found[f"http, streamed: {streamed}"] = np.frombuffer(answer.content, "<i2")
    for name, samples in found.items():
        np.testing.assert_array_equal(samples, expected, err_msg=name)

"""The page on the server says what the server does."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import soundfile
import yaml

from speechkd.audio.formats import FORMATS
from speechkd.serve.bodies import OpenAiSpeech, Synthesis
from speechkd.serve.limits import limits_table
from speechkd.serve.options import Options
from speechkd.serve.routes import MODELS
from tests.serve.running import Running

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "http_api.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_table_of_limits_is_the_one_in_the_code() -> None:
    written = PAGE.partition("limits_table -->\n")[2].partition("<!-- end")[0]
    assert written.strip() == limits_table()


def test_routes_are_those_there_are(server: Running) -> None:
    written = set(re.findall(r"^\| `(?:GET|POST) (/\S*)`", PAGE, re.MULTILINE))
    there = server.client.get("/openapi.json").json()["paths"].keys()
    assert written == there | {"/", "/openapi.json"}


def test_fields_are_those_there_are() -> None:
    for route, body in (("/v1/audio/speech", OpenAiSpeech), ("/synthesize", Synthesis)):
        section = PAGE.partition(f"### `POST {route}`")[2].partition("\n##")[0]
        cells = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
        named = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
        assert named == body.model_fields.keys() - {"instructions"}
    assert all(f"`{name}`" in PAGE for name in (*FORMATS, *MODELS))


def test_the_examples_run(server: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = blocks("python")
    monkeypatch.chdir(tmp_path)
    exec(compile(example.replace("http://127.0.0.1:8000", server.url), "http_api.md", "exec"), {})
    assert (tmp_path / "planks.mp3").stat().st_size > 5_000
    (command,) = blocks("bash")
    subprocess.run(["bash", "-c", command.replace("http://127.0.0.1:8000", server.url)], check=True, timeout=30)
    assert soundfile.info("it.wav").duration > 0.4
    (error,) = blocks("json")
    assert server.say(voice="alloy").json() == json.loads(error)
    (options,) = blocks("yaml")
    assert Options.model_validate(yaml.safe_load(options)).limits.queue == 32

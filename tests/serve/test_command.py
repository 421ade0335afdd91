"""`speechkd serve` as a program: its line, its warnings, its end."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from speechkd.cli.main import main
from speechkd.cli.serve import read_options
from speechkd.config import ConfigErrors
from speechkd.serve.limits import Limits

ROOT = Path(__file__).resolve().parents[2]
SPEECHKD = "import sys; from speechkd.cli.main import main; sys.exit(main())"


@contextmanager
def command(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The running command and its address."""
    call = [sys.executable, "-c", SPEECHKD, "serve", "--port", "0", *arguments]
    with subprocess.Popen(call, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.match(r"speaking with kathleen at (http://[\d.]+:\d+/)", line)
            assert found, line + (process.stderr.read() if process.stderr else "")
            yield process, found[1]
        finally:
            process.kill()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_asked_to_and_finishes_what_it_does(how: signal.Signals) -> None:
    with command("--threads", "1") as (process, address):
        body = {"text": "This is a sentence. " * 8, "stream": True, "format": "pcm"}
        with httpx.stream("POST", f"{address}synthesize", json=body, timeout=20) as answer:
            pieces = answer.iter_bytes()
            got = len(next(pieces))
            process.send_signal(how)
            got += sum(map(len, pieces))
        assert got > 8 * 22_050
        out, err = process.communicate(timeout=10)
        assert process.returncode == 0 and not out and not err


def test_another_address_is_warned_of_and_a_taken_one_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with command("--host", "0.0.0.0") as (process, address):
        port = address.rstrip("/").rpartition(":")[2]
        assert httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200
        begin = time.monotonic()
        assert main(["serve", "--host", "0.0.0.0", "--port", port]) == 6
        assert "cannot listen" in capsys.readouterr().err and time.monotonic() - begin < 10
        process.terminate()
        assert "0.0.0.0 can be reached from other machines" in process.communicate(timeout=10)[1]


def test_options_come_from_a_file_and_from_the_line(tmp_path: Path) -> None:
    file = tmp_path / "serve.yaml"
    file.write_text("port: 9000\nlimits:\n  queue: 3\n  text_chars: 100\n", encoding="utf-8")
    options = read_options(file, {"port": None, "host": "::1"}, {"queue": 5, "threads": None})
    assert (options.port, options.host, options.limits) == (9000, "::1", Limits(queue=5, text_chars=100))
    file.write_text("limits:\n  queue: -1\n  text_char: 100\n", encoding="utf-8")
    with pytest.raises(ConfigErrors) as caught:
        read_options(file, {}, {})
    assert "serve.yaml:2" in str(caught.value) and "Did you mean text_chars" in str(caught.value).replace("did", "Did")


def test_two_voices_of_one_name_and_none_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--voice", "kathleen", "--voice", "kathleen", "--port", "0"]) == 2
    assert "two voices are called 'kathleen'" in capsys.readouterr().err
    assert main(["serve", "--voice", "nobody", "--port", "0"]) == 2
    assert "no voice 'nobody'" in capsys.readouterr().err


def test_it_names_what_to_install(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("speechkd.cli.serve.find_spec", lambda name: None if name == "uvicorn" else object())
    assert main(["serve"]) == 6
    assert "pip install 'speechkd[serve]'" in capsys.readouterr().err

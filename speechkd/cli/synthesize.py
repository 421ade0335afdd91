"""`speechkd synthesize`: text to an audio file."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from speechkd.errors import DataError, UsageError


def synthesize(
    text: Annotated[str | None, typer.Argument(help="What to say; or use --file.", show_default=False)] = None,
    voice: Annotated[
        str | None,
        typer.Option(
            help="Voice folder or name. Default: $SPEECHKD_VOICE, else the package's own, else the newest in ./exp."
        ),
    ] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="Audio file to write, .wav or .flac.")] = Path(
        "speech.wav"
    ),
    speed: Annotated[float, typer.Option(help="Rate of speech, 0.25 to 4.")] = 1.0,
    pitch: Annotated[float, typer.Option(help="Semitones up or down, -12 to 12.")] = 0.0,
    energy: Annotated[float, typer.Option(help="Energy factor, 0.25 to 4.")] = 1.0,
    speaker: Annotated[
        str | None, typer.Option(help="Who speaks, in a voice of several: see speechkd voices.", show_default=False)
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(help="Denoising steps, of a ProDiff voice: fewer are faster.", show_default="all of the voice's"),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same samples.")] = 0,
    times: Annotated[
        Path | None, typer.Option(help="JSON file for the times of words and phones.", show_default=False)
    ] = None,
    engine: Annotated[
        str, typer.Option(help="What runs the networks: onnx, torch, or auto: onnx where the voice has it.")
    ] = "auto",
    threads: Annotated[
        int | None, typer.Option(min=1, help="How many may compute at a time.", show_default="all cores")
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="Text file to speak, UTF-8; - reads standard input.", show_default=False)
    ] = None,
) -> None:
    """Speak TEXT with a packed voice."""
    from speechkd.synthesis.find import choose_voice

    words = read_text(text, file)
    folder = choose_voice(voice)
    # Everything that can be wrong about the request is said before torch is loaded.
    from speechkd.synthesis.files import write_text
    from speechkd.synthesis.load import load_voice
    from speechkd.synthesis.speech import check_audio_path

    check_audio_path(output)
    loaded = load_voice(folder, engine=engine, threads=threads)  # type: ignore[arg-type]  # which it checks
    begin = time.perf_counter()
    speech = loaded.synthesize(words, speed=speed, pitch=pitch, energy=energy, seed=seed, speaker=speaker, steps=steps)
    elapsed_s = time.perf_counter() - begin
    speech.save(output)
    if times is not None:
        write_text(times, json.dumps(speech.times(), indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    factor = elapsed_s / speech.duration_s
    # Plain: rich takes longer to import than the sentence to speak.
    print(f"{output}: {speech.duration_s:.2f} s of audio, voice {loaded.name}, real-time factor {factor:.3f}")


def read_text(text: str | None, file: Path | None) -> str:
    """The text to speak, from the argument, a UTF-8 file, or standard input (file "-")."""
    if (text is None) == (file is None):
        raise UsageError(
            "give the text to speak, or a file that holds it", todo='Type: speechkd synthesize "Hello world."'
        )
    if file is None:
        return text or ""
    try:
        # Bytes, also from standard input: its own encoding is the locale's.
        raw = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return raw.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("the text file cannot be read", where=str(file), why=str(error)) from error

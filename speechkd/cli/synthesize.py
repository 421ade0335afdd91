"""`speechkd synthesize`: a text to an audio file, a list of texts to a folder of them."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from speechkd.cli import speaking
from speechkd.cli.speaking import STANDARD, read_text
from speechkd.errors import DataError, UsageError

if TYPE_CHECKING:
    from speechkd.synthesis.batch import Item
    from speechkd.synthesis.speech import Speech


def synthesize(
    text: Annotated[str | None, typer.Argument(help="What to say; or use --file.", show_default=False)] = None,
    voice: speaking.VoiceOption = None,
    output: Annotated[
        Path,
        typer.Option("-o", "--output", help="Audio file: .wav, .flac, .mp3, .ogg, .opus, .pcm; - is standard output."),
    ] = Path("speech.wav"),
    speed: speaking.Speed = 1.0,
    pitch: speaking.Pitch = 0.0,
    energy: speaking.Energy = 1.0,
    volume: speaking.Volume = 1.0,
    pauses: speaking.Pauses = 1.0,
    speaker: speaking.Speaker = None,
    steps: speaking.Steps = None,
    seed: speaking.Seed = 0,
    times: Annotated[
        Path | None,
        typer.Option(help="File for the times of words and phones: .json, .srt, .vtt, .TextGrid.", show_default=False),
    ] = None,
    engine: speaking.Engine = "auto",
    threads: speaking.Threads = None,
    file: speaking.File = None,
    ssml: speaking.Ssml = False,
    out_dir: Annotated[
        Path | None,
        typer.Option(help="Folder for a file per line of --file (.txt, .csv, .jsonl).", show_default=False),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="With --out-dir: how many processes speak.")] = 1,
    format_: Annotated[
        str, typer.Option("--format", help="With --out-dir or -o -: wav, flac, mp3, ogg, opus, pcm.")
    ] = "wav",
) -> None:
    """Speak TEXT with a packed voice, or all that --file holds."""
    from speechkd.synthesis.controls import Controls
    from speechkd.synthesis.find import choose_voice

    controls = Controls(speed, pitch, energy, volume, pauses, seed, speaker, steps)
    if out_dir is not None:
        if text is not None or file is None:
            raise UsageError("--out-dir wants a list of texts", todo="Give it with --file LIST.txt, and no TEXT")
        from speechkd.synthesis.batch import read_items

        _batch(read_items(file, controls, ssml), file, choose_voice(voice), out_dir, format_, jobs, engine)
        return
    said = read_text(text, file)
    folder = choose_voice(voice)
    # Everything that can be wrong about the request is said before torch is loaded.
    from speechkd.audio.formats import format_of
    from speechkd.synthesis.load import load_voice
    from speechkd.synthesis.timestamps import check_times_path, with_times

    if times is not None:
        check_times_path(times)
    if str(output) != STANDARD:
        format_of(output)
    loaded = load_voice(folder, engine=engine, threads=threads)  # type: ignore[arg-type]  # which it checks
    spoken = _Spoken()
    pieces = speaking.with_progress(spoken.counted(loaded.say(said, controls, ssml=ssml)), len(said))
    pieces = pieces if times is None else with_times(pieces, times)
    _write(pieces, output, loaded.sample_rate, format_)
    factor = spoken.elapsed_s / spoken.speech_s
    told = f"{output}: {spoken.speech_s:.2f} s of audio, voice {loaded.name}, real-time factor {factor:.3f}"
    # Plain: rich takes longer to import than the sentence to speak.
    print(told, file=sys.stderr if str(output) == STANDARD else sys.stdout)


class _Spoken:
    """How much speech came, and how long it took."""

    def __init__(self) -> None:
        self.speech_s = self.elapsed_s = 0.0

    def counted(self, pieces: Iterable[Speech]) -> Iterator[Speech]:
        begin = time.perf_counter()
        for piece in pieces:
            self.speech_s += piece.duration_s
            self.elapsed_s += time.perf_counter() - begin
            yield piece
            begin = time.perf_counter()


def _write(pieces: Iterable[Speech], output: Path, sample_rate: int, format_name: str) -> None:
    if str(output) != STANDARD:
        from speechkd.synthesis.speech import save

        save(output, pieces, sample_rate)
        return
    from speechkd.audio.formats import FORMATS, encode_pieces

    if format_name not in FORMATS:
        raise UsageError(f"there is no format {format_name!r}", todo=f"Choose from {', '.join(FORMATS)}")
    for data in encode_pieces((piece.samples for piece in pieces), sample_rate, FORMATS[format_name]):
        sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _batch(items: list[Item], file: Path, voice: Path, out: Path, format_name: str, jobs: int, engine: str) -> None:
    from speechkd.synthesis.batch import Outcome, run_batch

    done = 0

    def told(outcome: Outcome) -> None:
        nonlocal done
        done += 1
        if sys.stderr.isatty():
            print(f"\r{done} of {len(items)}", end="", file=sys.stderr, flush=True)

    outcomes = run_batch(items, voice, out, format_name=format_name, jobs=jobs, engine=engine, told=told)
    failed = [each for each in outcomes if each.problem is not None]
    skipped = sum(each.skipped for each in outcomes)
    speech_s = sum(each.speech_s for each in outcomes)
    print(f"{out}: {len(outcomes) - len(failed)} of {len(outcomes)} spoken, {speech_s:.1f} s of audio"
          + (f"; {skipped} were there already" if skipped else ""))  # fmt: skip
    for each in failed:
        print(f"{file}:{each.line}: {each.name}: {each.problem}", file=sys.stderr)
    if failed:
        raise DataError(f"{len(failed)} of {len(outcomes)} texts were not spoken", where=str(file), why="see above")

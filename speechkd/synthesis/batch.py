"""Many texts, a file each: read from a list, spoken by several processes, taken up again where they were stopped."""

from __future__ import annotations

import csv
import hashlib
import json
import multiprocessing
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from speechkd.audio.formats import FORMATS
from speechkd.errors import DataError, SpeechkdError, UsageError
from speechkd.synthesis.controls import CONTROL_NAMES, RANGES, Controls
from speechkd.synthesis.manifest import read_manifest

LIST_SUFFIXES = (".txt", ".csv", ".jsonl")
#: Beside the files: what each was made from, a line per file.
RECORD_NAME = "done.jsonl"
_PLAIN_NAME = re.compile(r"[\w][\w. -]{0,199}")
_KNOWN = {"id", "text", "ssml", *CONTROL_NAMES}


@dataclass(frozen=True)
class Item:
    """One text of a list: `name` becomes that of its file. `line` is where it stands."""

    name: str
    text: str
    controls: Controls
    ssml: bool = False
    line: int = 0


@dataclass(frozen=True)
class Outcome:
    """What became of an item: the seconds of its speech, or what was wrong."""

    name: str
    line: int
    speech_s: float = 0.0
    problem: str | None = None
    skipped: bool = False


def read_items(path: Path, base: Controls, ssml: bool = False) -> list[Item]:
    """The texts of a list: a line each (.txt; empty ones are passed over), a row each (.csv), an object each (.jsonl).

    Columns or keys are `text` or `ssml`, `id` for the file's name (else it is the number of the line), and any of
    `CONTROL_NAMES`, which go before `base`. DataError names the line of the first that is wrong.
    """
    rows = _rows(path, ssml)
    items = [_item(raw, line, base, path) for line, raw in rows]
    if not items:
        raise DataError("there is nothing to speak", where=str(path), why="the list is empty")
    width = len(str(items[-1].line))
    named = [item if item.name else replace(item, name=f"{item.line:0{width}}") for item in items]
    first: dict[str, int] = {}
    for item in named:
        # Case apart: some file systems know no other.
        before = first.setdefault(item.name.casefold(), item.line)
        if before != item.line:
            why = f"line {before} has it, too"
            raise DataError(f"the id {item.name!r} is there twice", where=f"{path}:{item.line}", why=why)
    return named


def run_batch(
    items: Iterable[Item],
    voice: Path,
    out: Path,
    *,
    format_name: str = "wav",
    jobs: int = 1,
    engine: str = "auto",
    told: Callable[[Outcome], None] = lambda _: None,
) -> list[Outcome]:
    """Speak every item into a file of its name in `out`; what was made by an earlier call from the same is left alone.

    Each outcome is `told` as it comes; the list is in the order of the items. What is wrong with one item does not stop
    the others. Raises what loading the voice raises.
    """
    if format_name not in FORMATS:
        raise UsageError(f"there is no format {format_name!r}", todo=f"Choose from {', '.join(FORMATS)}")
    work = _Work(voice, engine, out, format_name, hashlib.sha256(read_manifest(voice).to_text().encode()).hexdigest())
    out.mkdir(parents=True, exist_ok=True)
    record = _Record(out / RECORD_NAME)
    waiting, outcomes = [], {}
    for item in items:
        if record.has(item.name, work.digest(item)) and work.path(item).is_file():
            outcomes[item.name] = Outcome(item.name, item.line, record.speech_s(item.name), skipped=True)
            told(outcomes[item.name])
        else:
            waiting.append(item)
            outcomes[item.name] = Outcome(item.name, item.line)
    for item, outcome in zip(waiting, _spoken(work, waiting, jobs), strict=True):
        if outcome.problem is None:
            record.add(item.name, work.digest(item), outcome.speech_s)
        outcomes[item.name] = outcome
        told(outcome)
    return list(outcomes.values())


@dataclass(frozen=True)
class _Work:
    """What every process is told."""

    voice: Path
    engine: str
    out: Path
    format_name: str
    voice_digest: str

    def path(self, item: Item) -> Path:
        return self.out / f"{item.name}.{self.format_name}"

    def digest(self, item: Item) -> str:
        """Of all that the samples depend on."""
        made_from = [item.text, item.ssml, asdict(item.controls), self.voice_digest, self.engine]
        return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()


class _Record:
    """What was made, from what: read at the start, then a line is added per item. One that was cut off counts not."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._made: dict[str, tuple[str, float]] = {}
        for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
            try:
                raw = json.loads(line)
                self._made[raw["name"]] = (raw["digest"], float(raw["speech_s"]))
            except (ValueError, KeyError, TypeError):
                continue

    def has(self, name: str, digest: str) -> bool:
        return self._made.get(name, ("", 0.0))[0] == digest

    def speech_s(self, name: str) -> float:
        return self._made[name][1]

    def add(self, name: str, digest: str, speech_s: float) -> None:
        line = json.dumps({"digest": digest, "name": name, "speech_s": round(speech_s, 4)}, ensure_ascii=False)
        # A newline first: the line before may have been cut off.
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"\n{line}" if file.tell() else line)


# One voice per process, loaded when the process starts.
_voices: dict[str, Any] = {}


def _spoken(work: _Work, items: list[Item], jobs: int) -> Iterator[Outcome]:
    """The outcomes in the order of the items."""
    if jobs <= 1 or len(items) <= 1:
        _start(work)
        yield from (_speak(work, item) for item in items)
        return
    # Spawned: what runs threads, as onnxruntime does, must not be forked.
    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _start, (work,))
    with pool:
        yield from pool.map(_speak, [work] * len(items), items)


def _start(work: _Work) -> None:
    from speechkd.synthesis import load

    # One thread however many processes there are: with another number the last digits of a sample may differ.
    _voices["voice"] = load.load_voice(work.voice, engine=work.engine, threads=1)  # type: ignore[arg-type]


def _speak(work: _Work, item: Item) -> Outcome:
    from speechkd.synthesis.speech import save

    voice, speech_s = _voices["voice"], 0.0

    def counted(pieces: Iterable[Any]) -> Iterator[Any]:
        nonlocal speech_s
        for piece in pieces:
            speech_s += piece.duration_s
            yield piece

    try:
        save(work.path(item), counted(voice.say(item.text, item.controls, ssml=item.ssml)), voice.sample_rate)
    except SpeechkdError as error:
        return Outcome(item.name, item.line, problem=str(error))
    return Outcome(item.name, item.line, speech_s)


def _rows(path: Path, ssml: bool) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("the list cannot be read", where=str(path), why=str(error)) from error
    suffix = path.suffix.lower()
    if suffix == ".txt":
        key = "ssml" if ssml else "text"
        yield from ((n, {key: line}) for n, line in enumerate(text.splitlines(), start=1) if line.strip())
    elif suffix == ".csv":
        rows = csv.DictReader(text.splitlines(keepends=True), strict=True)
        try:
            for row in rows:
                yield rows.line_num, {name: value for name, value in row.items() if value not in (None, "")}
        except csv.Error as error:
            raise DataError("the list is no CSV", where=f"{path}:{rows.line_num}", why=str(error)) from error
    elif suffix == ".jsonl":
        yield from _objects(text, path)
    else:
        todo = f"Use a name that ends in {', '.join(LIST_SUFFIXES)}"
        raise UsageError(f"{path.name!r} is no list of texts", why="its suffix names no known kind", todo=todo)


def _objects(text: str, path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            raw = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError("the line is no JSON", where=f"{path}:{number}", why=str(error)) from error
        if not isinstance(raw, dict):
            raise DataError("the line is no JSON object", where=f"{path}:{number}", todo='Write {"text": "…"}')
        yield number, raw


def _item(raw: Mapping[str, Any], line: int, base: Controls, path: Path) -> Item:
    where = f"{path}:{line}"
    if unknown := [str(key) for key in raw if key not in _KNOWN]:
        raise DataError(f"unknown column {unknown[0]!r}", where=where, todo=f"Known: {', '.join(sorted(_KNOWN))}")
    said = [key for key in ("text", "ssml") if key in raw]
    if len(said) != 1 or not isinstance(raw[said[0]], str):
        raise DataError("there is no text", where=where, todo="Give each line a text, or an ssml")
    name = str(raw.get("id", ""))
    if name and (not _PLAIN_NAME.fullmatch(name) or name != name.strip(". ")):
        raise DataError(f"{name[:60]!r} cannot be a file's name", where=where, todo="Use letters, digits, - and _")
    try:
        own = {key: _number(key, value) for key, value in raw.items() if key in CONTROL_NAMES}
        return Item(name, raw[said[0]], replace(base, **own), said[0] == "ssml", line)
    except UsageError as error:
        raise DataError(error.what, where=where, why=error.why, todo=error.todo) from error


def _number(name: str, value: Any) -> Any:
    """A control as a list holds it: text in a CSV, a number in JSON."""
    if name == "speaker":
        return str(value)
    kind = float if name in RANGES else int
    try:
        return kind(value)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{name} is {str(value)[:40]!r}, which is no number") from error

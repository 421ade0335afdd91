"""A corpus as lhotse manifests: plain .jsonl, the same bytes on every machine, paths relative to the corpus folder."""

from __future__ import annotations

import io
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from speechkd.data.corpus import Corpus, Utterance
from speechkd.data.mpeg import read_film
from speechkd.errors import ArtifactError, DataError, missing_extra

RECORDINGS = "recordings.jsonl"
SUPERVISIONS = "supervisions.jsonl"
SPEAKERS = "speakers.json"
VIDEOS = "videos.jsonl"


def write_manifests(corpus: Corpus, folder: Path, language: str = "en") -> None:
    """Write `recordings.jsonl`, `supervisions.jsonl` (sorted by id) and `speakers.json` of all utterances.

    `language` is that of the utterances that do not say theirs. Raises `DataError` when the header of a recording
    cannot be read; run `validate_corpus` before.
    """
    try:
        from lhotse import RecordingSet, SupervisionSet
    except ImportError as error:
        raise missing_extra("lhotse", "train", "Writing manifests") from error
    # Line by line: lhotse's objects of a large corpus would take gigabytes.
    with (
        RecordingSet.open_writer(folder / RECORDINGS, overwrite=True) as recordings,
        SupervisionSet.open_writer(folder / SUPERVISIONS, overwrite=True) as supervisions,
    ):
        for utterance in sorted(corpus.utterances, key=lambda utterance: utterance.id):
            recording, supervision = _described(utterance, corpus, language)
            recordings.write(recording)
            supervisions.write(supervision)
    text = json.dumps(speaker_table(corpus), ensure_ascii=False, indent=1, sort_keys=True)
    (folder / SPEAKERS).write_text(text + "\n", encoding="utf-8", newline="\n")


def _described(utterance: Utterance, corpus: Corpus, language: str) -> tuple[Any, Any]:
    """lhotse's Recording and SupervisionSegment of an utterance."""
    from lhotse import Recording, SupervisionSegment
    from lhotse.audio import AudioSource

    rate, frames, channels = _sound(utterance.audio_path)
    duration_s = frames / rate
    sources = [AudioSource("file", list(range(channels)), _relative(utterance.audio_path, corpus))]
    supervision = SupervisionSegment(
        utterance.id,
        utterance.id,
        0.0,
        duration_s,
        channel=0 if channels == 1 else list(range(channels)),
        text=utterance.text,
        language=utterance.language or language,
        speaker=utterance.speaker or None,
        gender=corpus.speakers.get(utterance.speaker, {}).get("gender"),
        custom={"line": utterance.line} | ({"part": utterance.part} if utterance.part else {}),
    )
    return Recording(utterance.id, sources, rate, frames, duration_s), supervision


def write_videos(corpus: Corpus, folder: Path) -> None:
    """Write `videos.jsonl` into `folder`: a line per utterance that was filmed, sorted by id.

    "id", "video" (relative to the corpus folder), "text", "speaker", "width" and "height" in pixels, "fps", "frames",
    and "words": [start_s, end_s, word] where the corpus says when each is said. Raises `DataError` for a film that
    cannot be read.
    """
    lines = []
    for utterance in sorted(corpus.utterances, key=lambda utterance: utterance.id):
        if utterance.video_path is None:
            continue
        film = read_film(utterance.video_path)
        row = {
            "id": utterance.id,
            "video": _relative(utterance.video_path, corpus),
            "text": utterance.text,
            "speaker": utterance.speaker,
            "words": [list(word) for word in corpus.words.get(utterance.id, ())],
        } | {name: getattr(film, name) for name in ("width", "height", "fps", "frames")}
        lines.append(json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n")
    (folder / VIDEOS).write_text("".join(lines), encoding="utf-8", newline="\n")


def _relative(path: Path, corpus: Corpus) -> str:
    return Path(os.path.relpath(path, corpus.folder)).as_posix()


def _sound(path: Path) -> tuple[int, int, int]:
    """Sample rate, samples and channels; of a film, those of its sound, which only decoding can count."""
    import soundfile

    try:
        if path.suffix.lower() != ".mpg":
            info = soundfile.info(path)
            return info.samplerate, info.frames, info.channels
        samples, rate = soundfile.read(io.BytesIO(read_film(path).sound), dtype="float32", always_2d=True)
        return rate, len(samples), samples.shape[1]
    except (soundfile.SoundFileError, OSError) as error:
        raise DataError("Cannot read the recording", where=str(path), why=str(error)) from error


def speaker_table(corpus: Corpus) -> list[dict[str, Any]]:
    """A row per speaker, sorted by id: "id", "utterances", and what the corpus says ("gender", "accent", …)."""
    count = Counter(utterance.speaker for utterance in corpus.utterances)
    return [dict(corpus.speakers.get(id_, {})) | {"id": id_, "utterances": count[id_]} for id_ in sorted(count)]


def read_manifests(folder: Path, corpus_dir: Path) -> list[Utterance]:
    """All that `iter_manifests` gives."""
    return list(iter_manifests(folder, corpus_dir))


def iter_manifests(folder: Path, corpus_dir: Path) -> Iterator[Utterance]:
    """The utterances that `write_manifests` wrote, sorted by id, with audio paths under `corpus_dir`.

    Only one is held at a time. Raises `ArtifactError` when the manifests are missing, damaged or do not belong
    together.
    """
    for recording, supervision in iter_rows(folder):
        try:
            yield _utterance(recording, supervision, corpus_dir)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise _damaged(folder, error) from error


def iter_rows(folder: Path) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The lines of `recordings.jsonl` and `supervisions.jsonl` that belong together. Raises `ArtifactError`."""
    try:
        with (
            open(folder / RECORDINGS, encoding="utf-8") as recordings,
            open(folder / SUPERVISIONS, encoding="utf-8") as supervisions,
        ):
            for pair in zip(recordings, supervisions, strict=True):
                recording, supervision = map(json.loads, pair)
                if supervision["recording_id"] != recording["id"]:
                    raise ValueError(f"{supervision['id']} stands beside the recording {recording['id']}")
                yield recording, supervision
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(folder, error) from error


def _damaged(folder: Path, error: Exception) -> ArtifactError:
    why = f"{type(error).__name__}: {error}"
    return ArtifactError("Cannot read the manifests", where=str(folder), why=why, todo="Run the stage prepare again.")


def _utterance(recording: dict[str, Any], supervision: dict[str, Any], corpus_dir: Path) -> Utterance:
    return Utterance(
        id=supervision["id"],
        text=supervision["text"],
        audio_path=corpus_dir / recording["sources"][0]["source"],
        line=int(supervision["custom"]["line"]),
        duration_s=recording["duration"],
        speaker=supervision.get("speaker") or "",
        language=supervision.get("language") or "",
        part=supervision["custom"].get("part", ""),
    )

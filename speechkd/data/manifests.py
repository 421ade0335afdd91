"""A corpus as lhotse manifests: plain .jsonl, the same bytes on every machine, paths relative to the corpus folder."""

from __future__ import annotations

import os
from pathlib import Path

from speechkd.data.corpus import Corpus, Utterance
from speechkd.errors import ArtifactError, DataError, missing_extra

RECORDINGS = "recordings.jsonl"
SUPERVISIONS = "supervisions.jsonl"


def write_manifests(corpus: Corpus, folder: Path, language: str = "en") -> None:
    """Write `recordings.jsonl` and `supervisions.jsonl` of all utterances, sorted by id, into `folder`.

    Raises `DataError` when the header of a recording cannot be read; run `validate_corpus` before.
    """
    import soundfile

    try:
        from lhotse import Recording, RecordingSet, SupervisionSegment, SupervisionSet
        from lhotse.audio import AudioSource
    except ImportError as error:
        raise missing_extra("lhotse", "train", "Writing manifests") from error
    recordings, supervisions = [], []
    for utterance in sorted(corpus.utterances, key=lambda utterance: utterance.id):
        try:
            info = soundfile.info(utterance.audio_path)
        except (soundfile.SoundFileError, OSError) as error:
            raise DataError("Cannot read the recording", where=str(utterance.audio_path), why=str(error)) from error
        source = Path(os.path.relpath(utterance.audio_path, corpus.folder)).as_posix()
        duration_s = info.frames / info.samplerate
        sources = [AudioSource("file", list(range(info.channels)), source)]
        recordings.append(Recording(utterance.id, sources, info.samplerate, info.frames, duration_s))
        supervisions.append(
            SupervisionSegment(
                utterance.id,
                utterance.id,
                0.0,
                duration_s,
                channel=0 if info.channels == 1 else list(range(info.channels)),
                text=utterance.text,
                language=language,
                custom={"line": utterance.line},
            )
        )
    RecordingSet.from_recordings(recordings).to_file(folder / RECORDINGS)
    SupervisionSet.from_segments(supervisions).to_file(folder / SUPERVISIONS)


def read_manifests(folder: Path, corpus_dir: Path) -> list[Utterance]:
    """The utterances that `write_manifests` wrote, sorted by id, with audio paths under `corpus_dir`.

    Raises `ArtifactError` when the manifests are missing, damaged or do not belong together.
    """
    try:
        from lhotse import RecordingSet, SupervisionSet
    except ImportError as error:
        raise missing_extra("lhotse", "train", "Reading manifests") from error
    todo = "Run the stage prepare again."
    try:
        recordings = {recording.id: recording for recording in RecordingSet.from_file(folder / RECORDINGS)}
        return [
            Utterance(
                id=segment.id,
                text=segment.text,
                audio_path=corpus_dir / recordings[segment.recording_id].sources[0].source,
                line=int(segment.custom["line"]),
                duration_s=recordings[segment.recording_id].duration,
            )
            for segment in SupervisionSet.from_file(folder / SUPERVISIONS)
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, AssertionError) as error:
        why = f"{type(error).__name__}: {error}"
        raise ArtifactError("Cannot read the manifests", where=str(folder), why=why, todo=todo) from error

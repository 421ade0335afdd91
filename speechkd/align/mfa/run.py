"""One run of MFA over a corpus: export, program, import; what is complete for the same inputs is not done again."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from speechkd.align.mfa.export import planned, write_export
from speechkd.align.mfa.program import Job, command_line, find_program, last_lines, run_program
from speechkd.align.mfa.results import import_textgrids
from speechkd.align.options import GivenOptions, MfaOptions
from speechkd.align.types import AlignInput
from speechkd.errors import DataError

#: Raised when the files of an export or of a result change their meaning.
_FORMAT = 1


def run_mfa(
    options: MfaOptions, utterances: Sequence[AlignInput], folder: Path, jobs: int, log: logging.Logger
) -> GivenOptions:
    """Align all `utterances` with MFA in `folder`; the options by which its TextGrids are read, one per utterance.

    `folder` gets export/ (corpus and dictionary), mfa.log (all that the program said), TextGrid/ with the result and,
    in its reasons.json, why utterances have none; with `train`, also acoustic_model.zip. Export and result that were
    completed for the same inputs and options are kept. Utterances that MFA did not align fail when they are read.

    Raises `ResourceError` when the program is missing or does not start, `StageError` when it fails or takes longer
    than `timeout_h`, `DataError` for a recording that cannot be read and when no TextGrid at all was made.
    """
    if not utterances:
        raise DataError("There is nothing to align", todo="Check the corpus.")
    folder.mkdir(parents=True, exist_ok=True)
    result = folder / "TextGrid"
    ready = GivenOptions(folder=result)
    inputs = _inputs_digest(utterances, options)
    wanted = {"format": _FORMAT, "inputs": inputs, "options": _options_digest(options)}
    if _is_done(folder / "result.json", wanted):
        log.info("MFA aligned these utterances before: %s", result)
        return ready
    (folder / "result.json").unlink(missing_ok=True)
    program = find_program(options)
    log.info("MFA %s at %s", program.version_text, program.path)
    export = planned(utterances, folder / "export")
    if not _is_done(folder / "export.json", {"format": _FORMAT, "inputs": inputs}):
        (folder / "export.json").unlink(missing_ok=True)
        write_export(utterances, export, options.variants)
        _mark_done(folder / "export.json", {"format": _FORMAT, "inputs": inputs})
    # MFA keeps its scratch files by the name of the corpus folder: it is the same in every run, hence a folder per run.
    job = Job(export.corpus, export.dictionary, folder / "output", folder / "scratch", folder / "acoustic_model.zip")
    for path in (job.output, job.scratch):
        shutil.rmtree(path, ignore_errors=True)
    job.scratch.mkdir()
    command = command_line(program, options, job, jobs)
    (folder / "command.json").write_text(json.dumps(command, indent=1), encoding="utf-8")
    log.info("Running mfa %s over %d utterances, see %s", command[1], len(utterances), folder / "mfa.log")
    run_program(command, folder / "mfa.log", options.timeout_h * 3600)
    _refuse_empty(job.output, folder / "mfa.log")
    missing = import_textgrids(utterances, export, job.output, folder / "mfa.log", result)
    log.info("MFA aligned %d of %d utterances", len(utterances) - missing, len(utterances))
    _mark_done(folder / "result.json", wanted)
    for path in (job.output, job.scratch):
        shutil.rmtree(path, ignore_errors=True)
    return ready


def _refuse_empty(output: Path, log: Path) -> None:
    """MFA may end with exit code 0 and write nothing, e.g. when no features could be computed."""
    if any(output.glob("**/*.TextGrid")):
        return
    said = last_lines(log.read_text(encoding="utf-8", errors="replace"), 3) or "nothing"
    raise DataError(
        "MFA ended without an error and wrote no TextGrid",
        where=str(log),
        why=f"it last said: {said}",
        todo="Check recordings and texts with `mfa validate`, or give a wider beam in align.config.",
    )


def _inputs_digest(utterances: Sequence[AlignInput], options: MfaOptions) -> str:
    """What the export depends on: utterances, their pronunciations, and their recordings by path, size and time."""
    lines = [json.dumps(options.variants)]
    for each in sorted(utterances, key=lambda each: each.id):
        try:
            status = each.audio_path.stat()
        except OSError as error:
            why = error.strerror or str(error)
            raise DataError("Cannot read the recording", where=str(each.audio_path), why=why) from error
        recording = [str(each.audio_path), status.st_size, status.st_mtime_ns]
        words = [word.to_json() for word in each.text_tokens.words]
        lines.append(json.dumps([each.id, each.speaker, recording, words], sort_keys=True))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _options_digest(options: MfaOptions) -> str:
    """What the result depends on besides; not how long to wait for it, nor where the program lies."""
    plain = options.model_dump(mode="json", exclude={"timeout_h", "executable"})
    for name in ("config", "acoustic_model"):
        path = Path(str(plain[name])) if plain[name] else None
        if path is not None and path.is_file():
            plain[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def _is_done(path: Path, wanted: dict[str, Any]) -> bool:
    try:
        return bool(json.loads(path.read_text(encoding="utf-8")) == wanted)
    except (OSError, ValueError):
        return False


def _mark_done(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, sort_keys=True), encoding="utf-8")

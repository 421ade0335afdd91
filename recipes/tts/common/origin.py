"""What a model's weights come from besides its own recordings, as the files beside it tell."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from speechkd.synthesis.manifest import VoiceSource

REPORT = "transfer.json"
#: The report of the model that taught this one.
TEACHERS_REPORT = "teacher_transfer.json"
TAUGHT = "taught.json"
#: What origins are called in cards and tables.
STARTED, TEACHER_STARTED = "fine-tuned from", "its teacher, fine-tuned from"


@dataclass(frozen=True)
class Origin:
    """What a model started from: a packed voice, or (then `voice` is empty) a FastSpeech 2 as the trunk of a 2s."""

    voice: str
    speaker: str  # of a voice of several, the one that was chosen
    source: VoiceSource
    weights_sha256: str
    statistics: str

    @property
    def licence(self) -> str:
        """Under which terms it is given on."""
        return self.source.licence or "not stated"

    @property
    def name(self) -> str:
        """What it is, in a few words."""
        return f"voice {self.voice}" if self.voice else "a FastSpeech 2 (its trunk)"

    def in_words(self) -> str:
        """For cards and tables."""
        whom = f", speaker {self.speaker}" if self.speaker else ""
        return f"{self.name}{whom}: {self.source.corpus or 'recordings not stated'}; licence: {self.licence}"


def origin(model: Path, report: str = REPORT) -> Origin | None:
    """Where the model in the folder `model` started; None for one that was trained from scratch."""
    path = model / report
    if not path.is_file():
        return None
    content = json.loads(path.read_text(encoding="utf-8"))
    source = VoiceSource(**content.get("source", {}))  # which the first accounts do not tell
    return Origin(content["voice"], content["speaker"], source, content["weights_sha256"], content["statistics"])


def origins(model: Path) -> dict[str, Origin]:
    """Every origin of a model, its teacher's as well, by what to call it in cards and tables."""
    found = {STARTED: origin(model), TEACHER_STARTED: origin(model, TEACHERS_REPORT)}
    return {name: each for name, each in found.items() if each is not None}


def keep_teachers_origin(teacher: Path, model: Path) -> None:
    """A student is made of what its teacher is made of: keep the teacher's account beside the student's model."""
    for report in (REPORT, TEACHERS_REPORT):
        if (teacher / report).is_file():
            shutil.copyfile(teacher / report, model / TEACHERS_REPORT)
            return


def licences(own: str, *starts: Origin | None) -> str:
    """The licences of all recordings that a voice was made from: those of what it started from count as well."""
    others = dict.fromkeys(f"; of {start.name}: {start.licence}" for start in starts if start is not None)
    return own if not others else f"{own or 'not stated'}{''.join(others)}"


def source_of_run(model: Path) -> VoiceSource:
    """Which recordings the model of a run was trained on, as far as the configuration beside it tells."""
    import yaml

    try:
        content = yaml.safe_load((model.parent / "config.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return VoiceSource()
    corpus = content.get("corpus") if isinstance(content, dict) else None
    if not isinstance(corpus, dict):
        return VoiceSource()
    licence = licences(str(corpus.get("licence") or ""), *origins(model).values())
    title = str(corpus.get("title") or corpus.get("name") or "")
    return VoiceSource(recipe=str(content.get("recipe") or ""), corpus=title, licence=licence)


@dataclass(frozen=True)
class Taught:
    """Who read texts to a model while it learned: the content of taught.json beside it."""

    teachers: tuple[str, ...]  # fingerprints
    texts: str  # the name of the file
    n_texts: int

    def write(self, model: Path) -> None:
        """Write it beside the model in the folder `model`."""
        (model / TAUGHT).write_text(json.dumps(asdict(self), indent=1, sort_keys=True) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, model: Path) -> Taught | None:
        """What `write` wrote; None beside a model to which nobody read."""
        if not (model / TAUGHT).is_file():
            return None
        content = json.loads((model / TAUGHT).read_text(encoding="utf-8"))
        return cls(tuple(content["teachers"]), content["texts"], content["n_texts"])

    def in_words(self) -> str:
        """For tables."""
        return f"the mean of {len(self.teachers)} models, which read {self.n_texts} texts ({self.texts})"


@dataclass
class Account:
    """The content of transfer.json: what a model was given, and what could not be given as it is."""

    content: dict[str, Any] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write it beside the model in `folder`."""
        text = json.dumps(self.content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        (folder / REPORT).write_text(text, encoding="utf-8")

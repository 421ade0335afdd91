"""The teacher: a finished one that is checked and copied, or one that is trained here."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from recipes.tts.common.teachers import Wanted, check_teacher
from speechkd.runner import Context

HEAD = "head.json"
WANTED = Wanted("transformer", first="run.sh transformer", files=(HEAD,))


def run(cfg: Any, ctx: Context) -> None:
    """Write `teacher`, laid out as the artifact `model` of tts/transformer."""
    if cfg.teacher.model is None:
        from recipes.tts.transformer.train import run as train

        train(cfg.teacher.own, ctx, "teacher")
        return
    folder = cfg.teacher.model
    check(folder, ctx.input("manifest"), ctx.input("spoken"), cfg.audio)
    shutil.copytree(folder, ctx.output("teacher"), dirs_exist_ok=True, copy_function=shutil.copyfile)
    ctx.log.info("taught by %s", folder)


def check(folder: Path, manifest: Path, spoken: Path, audio: Any) -> None:
    """Refuse a teacher that does not fit; raises what `check_teacher` raises."""
    check_teacher(folder, WANTED, manifest, spoken, audio)

"""The documentation says nothing that does not work: every block of commands or of Python is run, page by page.

A block that needs recordings, minutes or another machine is marked above it: <!-- not run: needs recordings -->.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
BLOCK = re.compile(r"(?P<before>(?:^<!--.*-->\n)?)^```(?P<language>\w*)\n(?P<content>.*?)^```$", re.M | re.S)
NOT_RUN = re.compile(r"<!-- not run: \S.*-->")
COMMAND = re.compile(r"^(?:\$ |\.venv/bin/)?(?:(?:speechkd|make|pip|curl) |(?:egs|tools)/\S|\./run\.sh)", re.M)
SHIM = f"""#!{sys.executable}
import sys
from speechkd.cli.main import main
if __name__ == "__main__":
    sys.exit(main())
"""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    content: str
    excused: bool

    @property
    def runs(self) -> bool:
        return self.language in ("bash", "python") and not self.excused


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = []
    for match in BLOCK.finditer(text):
        line = text.count("\n", 0, match.start("language")) + 1
        excused = NOT_RUN.search(match["before"]) is not None
        found.append(Block(page, line, match["language"], match["content"], excused))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_of_commands_is_run_or_says_why_not(page: Path) -> None:
    silent = [
        block
        for block in blocks(page)
        if not block.excused and block.language not in ("bash", "python") and COMMAND.search(block.content)
    ]
    assert [f"{page.name}:{block.line}" for block in silent] == []


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    programs = tmp_path_factory.mktemp("bin")
    (programs / "speechkd").write_text(SHIM)
    (programs / "speechkd").chmod(0o755)
    (programs / "python").symlink_to(sys.executable)
    # No home, no network: what the pages show needs neither.
    return {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "HOME": str(programs),
        "HF_HUB_OFFLINE": "1",
        "LANG": "C.UTF-8",
    }


@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(block.runs for block in blocks(page))], ids=lambda page: page.name
)
def test_what_a_page_shows_works(page: Path, environment: dict[str, str], tmp_path: Path) -> None:
    """In one folder, in the order of the page: a block may read what one before it wrote."""
    for block in blocks(page):
        if not block.runs:
            continue
        start = ["bash", "-euo", "pipefail", "-c"] if block.language == "bash" else [sys.executable, "-c"]
        done = subprocess.run(
            [*start, block.content], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=110
        )
        assert done.returncode == 0, f"{page.name}:{block.line}\n{block.content}\n{done.stdout}\n{done.stderr}"

"""The installer of MFA: its arguments, and its steps with stand-ins for the network, the digest and micromamba.

What it downloads is not tested here: that needs the network.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from speechkd.align.mfa.program import find_program
from speechkd.align.options import MfaOptions

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "install_mfa.sh"

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")

#: What the stand-in for micromamba does: it makes an environment with a program that counts and answers.
MICROMAMBA = r"""#!/bin/sh
echo "micromamba $*" >> "$CALLS"
while [ "$1" != --prefix ]; do shift; done
mkdir -p "$2/bin"
cat > "$2/bin/mfa" <<'END'
#!/bin/sh
echo "mfa $* $MFA_ROOT_DIR" >> "$CALLS"
[ "$1" = version ] && echo 3.3.8
if [ "$1 $2" = "model download" ]; then
    mkdir -p "$MFA_ROOT_DIR/pretrained_models/$3" && touch "$MFA_ROOT_DIR/pretrained_models/$3/$4.zip"
fi
exit 0
END
chmod +x "$2/bin/mfa"
"""


def run(tmp_path: Path, *arguments: str, system: str = "Linux x86_64", digest: str = "") -> tuple[int, str]:
    """Run the script with stand-ins first on PATH; its exit code and all it said."""
    stubs = tmp_path / "stubs"
    stubs.mkdir(exist_ok=True)
    kernel, machine = system.split()
    known = re.search(r'digest="([0-9a-f]{64})"', SCRIPT.read_text(encoding="utf-8"))
    assert known is not None
    (stubs / "micromamba").write_text(MICROMAMBA, encoding="utf-8")
    bodies = {
        "uname": f'[ "$1" = -s ] && echo {kernel} || echo {machine}',
        "sha256sum": f'echo "{digest or known[1]}  $1"',
        "curl": 'echo "curl $*" >> "$CALLS"; while [ "$1" != --output ]; do shift; done; '
        f'cp "{stubs / "micromamba"}" "$2"',
    }
    for name, body in bodies.items():
        (stubs / name).write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        (stubs / name).chmod(0o755)
    environment = os.environ | {
        "PATH": f"{stubs}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path / "home"),
        "CALLS": str(tmp_path / "calls"),
    }
    environment.pop("XDG_DATA_HOME", None)
    done = subprocess.run(
        ["bash", str(SCRIPT), *arguments], env=environment, capture_output=True, encoding="utf-8", cwd=tmp_path
    )
    return done.returncode, done.stdout + done.stderr


def calls(tmp_path: Path) -> list[str]:
    path = tmp_path / "calls"
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def test_help_and_unknown_arguments(tmp_path: Path) -> None:
    code, said = run(tmp_path, "--help")
    assert (code, said.split("\n")[0]) == (0, "Usage: tools/install_mfa.sh [--prefix DIR] [--dry-run] [--help]")
    for arguments in (["--no-such"], ["--prefix"], ["--prefix", ""], ["folder"]):
        code, said = run(tmp_path, *arguments)
        assert code == 2 and "Usage:" in said
    assert not (tmp_path / "home").exists() and calls(tmp_path) == []


@pytest.mark.parametrize(
    ("arguments", "prefix"),
    [([], "home/.local/share/speechkd/mfa"), (["--prefix", "here"], "here"), (["--prefix=a b"], "a b")],
)
def test_dry_run_says_where_and_does_nothing(tmp_path: Path, arguments: list[str], prefix: str) -> None:
    code, said = run(tmp_path, *arguments, "--dry-run")
    assert code == 0
    assert said.rstrip().endswith(f"into {tmp_path / prefix}")
    assert not (tmp_path / prefix).exists() and calls(tmp_path) == []


@pytest.mark.parametrize("system", ["Linux aarch64", "FreeBSD amd64", "MINGW64_NT-10.0 x86_64"])
def test_other_platforms_are_refused(tmp_path: Path, system: str) -> None:
    code, said = run(tmp_path, "--dry-run", system=system)
    assert code == 1 and f"no build of MFA for {system}" in said


@pytest.mark.parametrize("system", ["Linux x86_64", "Darwin x86_64", "Darwin arm64"])
def test_platforms_with_a_pinned_digest(tmp_path: Path, system: str) -> None:
    assert run(tmp_path, "--dry-run", system=system)[0] == 0
    assert len(set(re.findall(r'digest="([0-9a-f]{64})"', SCRIPT.read_text(encoding="utf-8")))) == 3


def test_download_with_another_digest_is_not_run(tmp_path: Path) -> None:
    code, said = run(tmp_path, "--prefix", "mfa", digest="0" * 64)
    assert code == 1 and "is not micromamba" in said
    assert [line.split()[0] for line in calls(tmp_path)] == ["curl"]
    assert list((tmp_path / "mfa/bin").iterdir()) == []


def test_installation_and_its_repetition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, said = run(tmp_path, "--prefix", "my mfa")
    assert code == 0, said
    root = tmp_path / "my mfa"
    assert said.rstrip().endswith(f'align: {{backend: mfa, executable: "{root}/bin/mfa"}}')
    first = calls(tmp_path)
    assert "montreal-forced-aligner=3.3.8" in first[1] and "--channel conda-forge" in first[1]
    assert first[2:4] == [f"mfa model download {kind} english_us_arpa {root}/models" for kind in ("acoustic", "g2p")]
    # The line that it prints works.
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    assert find_program(MfaOptions(executable=f"{root}/bin/mfa")).version == (3, 3, 8)
    (tmp_path / "calls").unlink()
    assert run(tmp_path, "--prefix", "my mfa")[0] == 0
    assert [line.split()[:2] for line in calls(tmp_path)] == [["mfa", "version"]]


def test_half_made_environment_is_made_again_but_no_strangers(tmp_path: Path) -> None:
    assert run(tmp_path, "--prefix", "mfa")[0] == 0
    mark = tmp_path / "mfa/env/.complete-3.3.8"
    mark.unlink()
    (tmp_path / "mfa/env/rest").touch()
    assert run(tmp_path, "--prefix", "mfa")[0] == 0
    assert mark.exists() and not (tmp_path / "mfa/env/rest").exists()
    (tmp_path / "other/env").mkdir(parents=True)
    code, said = run(tmp_path, "--prefix", "other")
    assert code == 1 and "was not made by this script" in said and (tmp_path / "other/env").is_dir()

"""The peak memory of a program that a bench starts was never less than that of the bench itself."""

from __future__ import annotations

from tools.bench_speak import run_apart

_MIB = 1024  # KiB


def test_it_does_not_count_for_the_programs_it_starts() -> None:
    held = bytearray(256 * _MIB * 1024)
    output, wall_s, cpu_s, peak_kib = run_apart(["-c", "import sys; print(sys.stdin.read())"], "said")
    assert output == "said\n" and wall_s > 0 and cpu_s > 0
    assert 1 * _MIB < peak_kib < 128 * _MIB < len(held) / 1024

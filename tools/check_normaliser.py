#!/usr/bin/env python3
"""How many texts of a table are read as a careful American newsreader would read them.

    tools/check_normaliser.py            category by category, and in all: N of N
    tools/check_normaliser.py FILE.tsv   a table of your own: category, written, spoken, options

Texts that are read differently are printed with both readings, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from speechkd.errors import DataError  # noqa: E402
from speechkd.text.cases import READINGS, ReadingCase, read_readings, same_reading  # noqa: E402


def main() -> int:
    """Print the counts; 0 when every text is read as expected."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", nargs="?", type=Path, default=READINGS)
    cases = read_readings(parser.parse_args().table)
    right = [_is_right(case) for case in cases]
    total = Counter(case.category for case in cases)
    passed = Counter(case.category for case, ok in zip(cases, right, strict=True) if ok)
    for category, count in total.items():
        print(f"{category:16} {passed[category]:4} of {count}")
    print(f"{'all':16} {sum(right):4} of {len(cases)}")
    return 0 if all(right) else 1


def _is_right(case: ReadingCase) -> bool:
    try:
        heard = case.heard()
    except DataError as error:
        heard = str(error)
    if same_reading(case.spoken, heard):
        return True
    print(f"{case.category}: {case.written}\n    expected  {case.spoken}\n    heard     {heard}")
    return False


if __name__ == "__main__":
    sys.exit(main())

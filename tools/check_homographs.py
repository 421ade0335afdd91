#!/usr/bin/env python3
"""How often the reading of a homograph fits its sentence.

    tools/check_homographs.py            the sentences that the rules were made with, and those they never saw
    tools/check_homographs.py --show     and each sentence that is read otherwise

Beside each figure stands what the CMU dictionary's first pronunciation alone gets.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from speechkd.text import EnglishFrontend, cmu_lexicon  # noqa: E402
from speechkd.text.cases import HomographCase, read_homographs  # noqa: E402


def main() -> int:
    """Print the figures of both parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--show", action="store_true", help="print the sentences that are read otherwise")
    show = parser.parse_args().show
    frontend = EnglishFrontend()
    cases = read_homographs()
    for part in ("tuned", "heldout"):
        of_part = [case for case in cases if case.part == part]
        wrong = [case for case in of_part if case.heard(frontend) != case.expected()]
        listed = sum(_first_listed(case) == case.expected() for case in of_part)
        words = len({case.word.lower() for case in of_part})
        right, count = len(of_part) - len(wrong), len(of_part)
        print(
            f"{part:8} {right} of {count} right ({100 * right / count:.1f} %), {words} words; "
            f"dictionary alone {listed} ({100 * listed / count:.1f} %)"
        )
        for case in wrong if show else ():
            print(f"    {case.word} should be {case.reading}: {case.sentence}")
    return 0


def _first_listed(case: HomographCase) -> tuple[str, ...]:
    return next(iter(cmu_lexicon().variants(case.word)), ())


if __name__ == "__main__":
    sys.exit(main())

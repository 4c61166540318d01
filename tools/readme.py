"""Puts the claims of the committed default run into README.md: `python tools/readme.py` (`--check` only compares)."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
MARKERS = re.compile(r"(<!-- claims -->\n).*(<!-- /claims -->)", re.DOTALL)


def main() -> int:
    """Exit status 1 if ``--check`` finds the README stale."""
    readme = ROOT / "README.md"
    claims = (ROOT / "results" / "tables" / "claims.md").read_text()
    current = readme.read_text()
    wanted = MARKERS.sub(lambda match: f"{match[1]}{claims.rstrip()}\n{match[2]}", current)
    if "--check" not in sys.argv[1:]:
        readme.write_text(wanted)
    elif wanted != current:
        print("README.md does not show results/tables/claims.md; run `python tools/readme.py`")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

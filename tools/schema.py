"""Writes the JSON schema of params.yaml from the package's own: `python tools/schema.py` (`--check` only compares)."""

import json
import sys
from pathlib import Path

from prm_scaling.config import Params

PATH = Path(__file__).parent.parent / "workflow" / "schemas" / "params.schema.json"


def main() -> int:
    """Exit status 1 if ``--check`` finds the file stale."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Params.model_json_schema()}
    text = json.dumps(schema, indent=1) + "\n"
    if "--check" in sys.argv[1:]:
        current = PATH.read_text() if PATH.exists() else ""
        if current != text:
            print(f"{PATH} is stale; run `python tools/schema.py`")
            return 1
        return 0
    PATH.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

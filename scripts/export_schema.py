"""Write the JSON Schema of the summary format into the package: python scripts/export_schema.py."""

import json
from pathlib import Path

import escapedim
from escapedim.records.summary import json_schema

TARGET = Path(escapedim.__file__).parent / "records" / "summary.schema.json"


def schema_text() -> str:
    """Return the text of the exported file."""
    return json.dumps(json_schema(), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    TARGET.write_text(schema_text())

from __future__ import annotations

import importlib.util
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "export_schema.py"


def test_exported_schema_is_the_one_of_the_models():
    spec = importlib.util.spec_from_file_location("export_schema", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.TARGET.read_text() == module.schema_text(), "run python scripts/export_schema.py"

import importlib

import pytest


@pytest.fixture(scope="session")
def script():
    """Imports a module of scripts/ by its name, as `python scripts/benchmark.py` finds it."""
    return importlib.import_module


@pytest.fixture(scope="session")
def setting(script):
    return script("benchmarking.setting").Setting

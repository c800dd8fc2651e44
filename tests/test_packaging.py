"""What `pip install` of a wheel brings, and what an sdist holds."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def run(*words: str | Path, folder: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ended = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def kept() -> list[str]:
    """Return the files that belong to the project: those that git knows, and outside a checkout all."""
    if (ROOT / ".git").exists():
        found = run("git", "ls-files", "--cached", "--others", "--exclude-standard", folder=ROOT).splitlines()
        return [name for name in found if (ROOT / name).exists()]
    return [str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if path.is_file() and ".venv" not in path.parts]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("built")
    source = folder / "source"
    for name in kept():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_symlink():
            (source / name).symlink_to((ROOT / name).readlink())
        else:
            (source / name).write_bytes((ROOT / name).read_bytes())
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, source, folder=folder)
    return folder


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a fresh environment with the wheel; its dependencies are those of the tests."""
    folder = tmp_path_factory.mktemp("fresh")
    run(sys.executable, "-m", "venv", "--without-pip", folder / "venv", folder=folder)
    python = folder / "venv" / "bin" / "python"
    (wheel,) = built.glob("*.whl")
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-index", "--no-deps")
    run(*pip, wheel, folder=folder)
    own = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", folder=folder).strip()
    (Path(own) / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return python.parent


def test_a_wheel_works_without_the_checkout(installed, tmp_path):
    where = run(installed / "python", "-c", "import escapedim; print(escapedim.__file__)", folder=tmp_path).strip()
    package = Path(where).parent
    assert installed.parent in package.parents
    for name in ("py.typed", "records/summary.schema.json", "presets/lenet-300-100.yaml"):
        assert (package / name).is_file(), name
    for name in ("tasks/data", "presets"):
        assert names_in(package / name) == names_in(ROOT / "escapedim" / name)
    plans = package / "sweeping" / "plans"
    assert names_in(plans) == names_in(ROOT / "sweeps")
    small = ("--steps", "20it", "--replicates", "2", "--rounds", "1", "--jobs", "1", "--quiet")
    run(installed / "escapedim", "prune", "--task", "mnist1d", *small, folder=tmp_path)
    assert "4 runs" in run(installed / "escapedim", "sweep", plans / "quick.yaml", "--status", folder=tmp_path)
    assert str(plans) in run(installed / "escapedim", "doctor", folder=tmp_path)


def names_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir() if file.name != "__pycache__")


def test_an_sdist_holds_all_that_is_needed_to_work_on_it(built):
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {name for name in kept() if not (ROOT / name).is_symlink() and name != ".gitignore"}
    assert "tests/test_packaging.py" in wanted
    assert wanted - names == set()

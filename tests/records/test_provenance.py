import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

import escapedim
from escapedim.records import provenance
from escapedim.records.summary import Provenance

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def git(folder, *arguments):
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    git(tmp_path, "init")
    git(tmp_path, "add", "package/__init__.py")
    git(tmp_path, "commit", "--no-verify", "-m", "one")
    return package


def test_collect():
    found = provenance.collect(["prune", "--rounds", "2"], "2.9.0", "cpu", 2, {"root": 0}, "runs/x")
    assert isinstance(found, Provenance)
    assert found.version == escapedim.__version__
    assert found.argv == ["prune", "--rounds", "2"]
    assert (found.torch, found.device, found.threads, found.seeds) == ("2.9.0", "cpu", 2, {"root": 0})
    assert found.run_folder == "runs/x"
    assert found.host
    assert found.finished is None


def test_arguments_that_are_no_text():
    found = provenance.collect(["--out", "caf\udce9.json"], None, None, None, None, None)
    assert found.argv == ["--out", "caf\\udce9.json"]
    assert Provenance.model_validate_json(found.model_dump_json()) == found


def test_now_is_utc_to_the_second():
    moment = datetime.fromisoformat(provenance.now())
    assert moment.utcoffset() == timedelta(0)
    assert moment.microsecond == 0
    assert moment <= datetime.now(UTC)


@needs_git
def test_commit_of_a_clean_checkout(checkout):
    (checkout / "untracked").write_text("x")
    commit = provenance.commit_of(checkout / "__init__.py")
    assert len(commit) == 40
    assert set(commit) <= set("0123456789abcdef")


@needs_git
@pytest.mark.parametrize("staged", [False, True])
def test_commit_of_a_changed_checkout(checkout, staged):
    clean = provenance.commit_of(checkout / "__init__.py")
    (checkout / "__init__.py").write_text("x = 1\n")
    if staged:
        git(checkout, "add", "__init__.py")
    assert provenance.commit_of(checkout / "__init__.py") == f"{clean}-dirty"


@needs_git
def test_no_commit_for_an_untracked_package(checkout):
    (checkout / "installed.py").write_text("")
    assert provenance.commit_of(checkout / "installed.py") is None


@needs_git
def test_git_hooks_do_not_redirect(checkout, tmp_path, monkeypatch):
    commit = provenance.commit_of(checkout / "__init__.py")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert provenance.commit_of(checkout / "__init__.py") == commit


def test_no_commit_outside_a_checkout(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    (tmp_path / "__init__.py").write_text("")
    assert provenance.commit_of(tmp_path / "__init__.py") is None


@pytest.mark.parametrize("error", [FileNotFoundError("git"), subprocess.TimeoutExpired("git", 5)])
def test_no_commit_without_a_working_git(monkeypatch, error):
    def fail(*_args, **_kwargs):
        raise error

    monkeypatch.setattr(subprocess, "run", fail)
    assert provenance.collect([], None, None, None, None, None).git is None


@pytest.mark.parametrize(("system", "unit"), [("linux", 1024), ("darwin", 1024 * 1024)])
def test_peak_rss_units_where_there_is_no_proc(monkeypatch, system, unit):
    monkeypatch.setattr(provenance.sys, "platform", system)
    monkeypatch.setattr(provenance, "_peak_of", lambda pid: 0.0)
    largest = provenance.resource.getrusage(provenance.resource.RUSAGE_SELF).ru_maxrss
    assert provenance.peak_rss_mb() >= largest / unit > 0


def test_peak_rss_is_what_this_process_held():
    before = provenance.peak_rss_mb()
    held = b"1" * (300 * 2**20)
    after = provenance.peak_rss_mb()
    assert before > 10
    assert after >= len(held) / 2**20


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process's own peak from its starter's")
def test_peak_rss_leaves_out_the_process_that_started_this_one():
    child = "from escapedim.records.provenance import peak_rss_mb; print(peak_rss_mb())"
    parent = f"import subprocess, sys; held = b'1' * (500 * 2**20); subprocess.run([sys.executable, '-c', {child!r}])"
    answer = subprocess.run([sys.executable, "-c", parent], capture_output=True, text=True, check=True)
    assert 5 < float(answer.stdout) < 250

"""The project as a package: what a wheel has in it, and (long) a fresh environment that trades with it."""

import os
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from hip3.version import __version__

ROOT = Path(__file__).resolve().parents[2]


def _pip(python: Path | str, *args: str) -> None:
    """Without the network, where nothing has to be fetched; nothing is left in the checkout."""
    subprocess.run([str(python), "-m", "pip", "--disable-pip-version-check", "-q", *args], check=True)


def _copy(folder: Path) -> Path:
    """What of the checkout a build sees: it writes beside the sources."""
    for name in (
        "hip3",
        "tests/requirements.txt",
        "hip3.py",
        "pyproject.toml",
        "requirements.txt",
        "requirements-lab.txt",
        "README.md",
    ):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(ROOT / name) if (ROOT / name).is_file() else _copy_tree(ROOT / name, target)
    return folder


def _copy_tree(source: Path, target: Path) -> None:
    for path in source.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            (target / path.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
            (target / path.relative_to(source)).write_bytes(path.read_bytes())


def test_a_wheel_has_all_files_and_the_requirements_of_the_one_list(tmp_path: Path) -> None:
    project = _copy(tmp_path / "project")
    _pip(sys.executable, "wheel", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), str(project))
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        files = {name for name in archive.namelist() if name.startswith("hip3/")}
        info = f"hip3-{__version__}.dist-info"
        meta = Parser().parsestr(archive.read(f"{info}/METADATA").decode())
        points = archive.read(f"{info}/entry_points.txt").decode()
        roots = {name.partition("/")[0] for name in archive.namelist()}
    own = (
        p
        for p in (ROOT / "hip3").rglob("*")
        if p.suffix in (".py", ".toml") or (p.parent.name == "page" and p.is_file())
    )
    assert files == {p.relative_to(ROOT).as_posix() for p in own}
    assert roots == {"hip3", info}  # neither the script nor tests
    assert meta["Version"] == __version__
    wanted = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line and line[0] != "#"]
    plain = [r for r in meta.get_all("Requires-Dist", []) if "extra ==" not in r]
    assert sorted(plain) == sorted(wanted)
    assert "hip3 = hip3.cli:script" in points


@pytest.mark.long
def test_installed_in_a_fresh_environment_it_trades_in_an_empty_folder(tmp_path: Path) -> None:
    venv, empty = tmp_path / "venv", tmp_path / "empty"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    before = {p for p in venv.rglob("*") if p.is_file() and "__pycache__" not in p.parts}
    _pip(venv / "bin" / "python", "install", str(_copy(tmp_path / "project")))
    empty.mkdir()
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("HIP3_", "PYTHON"))} | {"HIP3_HTTP_PORT": "0"}
    run = subprocess.run(
        [venv / "bin" / "hip3", "run", "--duration", "60"], cwd=empty, env=clean, capture_output=True, text=True,
        check=False, timeout=120,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-2000:]
    figures = dict(line.rsplit(maxsplit=1) for line in run.stdout.splitlines() if line.startswith("orders"))
    assert int(figures["orders filled"]) > 0
    assert {p.name for p in empty.iterdir()} == {"state", "logs"}
    assert [p for p in empty.rglob("*") if p.stat().st_mode & 0o077] == []
    with subprocess.Popen(
        [venv / "bin" / "hip3", "exchange", "--port", "0", "--until-eof"], cwd=empty, env=clean, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as served:  # fmt: skip
        assert served.stdout is not None
        assert served.stdout.readline().startswith("listening on http://127.0.0.1:")
    _pip(venv / "bin" / "python", "uninstall", "-y", "hip3")
    left = {p for p in venv.rglob("*") if p.is_file() and "__pycache__" not in p.parts} - before
    assert not [p for p in left if p.name == "hip3" or "hip3" in p.parts[len(venv.parts) :]]
    assert {p.name for p in empty.iterdir()} == {"state", "logs"}

"""The wheel, not the source tree: what it holds, and that it works in an empty environment."""

from __future__ import annotations

import sys
import sysconfig
import tarfile
import venv
import zipfile
from email.message import Message
from email.parser import BytesParser
from pathlib import Path

import pytest
from packaging.metadata import Metadata

from tests.helpers.built import ROOT, build, export_tracked, run, tracked_files

PACKAGES = ("engine/", "wallet/", "tui/", "themes/")
STUBS = "peer2prompt-stubs/"  # a module of one file cannot say itself that it is typed
SHARED = {
    "share/man/man1/peer2prompt.1",
    "share/bash-completion/completions/peer2prompt",
    "share/zsh/site-functions/_peer2prompt",
    "share/fish/vendor_completions.d/peer2prompt.fish",
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source archive, made from what git tracks."""
    return build(export_tracked(tmp_path_factory.mktemp("source")), tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def sdist(built: Path) -> Path:
    (path,) = built.glob("*.tar.gz")
    return path


def metadata_of(wheel: Path) -> tuple[bytes, Message]:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        data = archive.read(name)
    return data, BytesParser().parsebytes(data)


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment that holds the wheel. Its dependencies are lent from the
    environment of the tests by a path entry, which does not lend the editable install."""
    folder = tmp_path_factory.mktemp("empty") / "env"
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index")
    done = run(*pip, wheel, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin"


def test_wheel_holds_exactly_the_tracked_files(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    held = {name for name in names if ".dist-info/" not in name and ".data/" not in name}
    wanted = {name for name in tracked_files() if name.startswith((*PACKAGES, STUBS))}
    wanted |= {"peer2prompt.py"}
    assert held == wanted
    shared = {name.partition(".data/data/")[2] for name in names if ".data/" in name}
    assert shared == SHARED
    assert {f"{package}py.typed" for package in PACKAGES} <= held


def test_sdist_holds_exactly_the_tracked_files_and_builds_the_same_wheel(
    wheel: Path, sdist: Path, tmp_path: Path
) -> None:
    """Whoever builds from the source archive gets what we built from the repository, byte for
    byte: nothing in the wheel depends on the clock, the machine or git."""
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    held = {str(path.relative_to(source)) for path in source.rglob("*") if path.is_file()}
    assert held - {"PKG-INFO"} == tracked_files()
    again = build(source, tmp_path / "again", "wheel")
    assert (again / wheel.name).read_bytes() == wheel.read_bytes()


def test_metadata_is_complete_and_valid(wheel: Path) -> None:
    data, message = metadata_of(wheel)
    found = Metadata.from_email(data, validate=True)  # raises on anything that is not allowed
    assert (found.name, found.license_expression) == ("peer2prompt", "MIT")
    assert found.license_files == ["LICENSE"]
    assert found.summary
    assert found.author
    assert found.keywords
    assert found.classifiers
    assert str(found.requires_python) == ">=3.11"
    assert message["Description-Content-Type"] == "text/markdown"
    assert set(found.provides_extra or ()) >= {"gpu", "notebook", "web"}


def test_licence_and_script_are_inside(wheel: Path, sdist: Path) -> None:
    licence = (ROOT / "LICENSE").read_bytes()
    with zipfile.ZipFile(wheel) as archive:
        extra = [name for name in archive.namelist() if ".dist-info/" in name]
        script = next(name for name in extra if name.endswith("entry_points.txt"))
        assert b"peer2prompt = tui.cli.main:main" in archive.read(script)
        (held,) = (name for name in extra if name.endswith("licenses/LICENSE"))
        assert archive.read(held) == licence
    with tarfile.open(sdist) as source:
        (held,) = (name for name in source.getnames() if name.endswith("/LICENSE"))
        file = source.extractfile(held)
        assert file is not None
        assert file.read() == licence


def test_installed_wheel_imports_from_itself(installed: Path, tmp_path: Path) -> None:
    code = (
        "import peer2prompt, engine.node, wallet.wallet, tui.cli.main, tui.app.main, themes\n"
        "for m in (peer2prompt, engine, wallet, tui, themes): print(m.__file__)"
    )
    result = run(installed / "python", "-W", "error", "-c", code, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    places = [Path(line) for line in result.stdout.split()]
    assert all(place.is_relative_to(installed.parent) for place in places)


def test_type_checkers_see_the_public_face(installed: Path, tmp_path: Path) -> None:
    source = tmp_path / "use.py"
    source.write_text(
        "import peer2prompt\n"
        "async def main() -> None:\n"
        "    async with peer2prompt.connect() as p:\n"
        "        reveal_type(await p.chat('What?', max_sat=3))\n"
        "        p.chat('What?', max_sats=3)\n"
    )
    checker = (sys.executable, "-m", "mypy", "--strict", "--cache-dir", tmp_path / "cache")
    result = run(*checker, "--python-executable", installed / "python", source, cwd=tmp_path)
    assert 'Revealed type is "tui.notebook.reply.Reply"' in result.stdout, result.stdout
    assert 'did you mean "max_sat"?' in result.stdout
    assert "Found 1 error" in result.stdout


def test_installed_command_answers(installed: Path, tmp_path: Path) -> None:
    result = run(installed / "peer2prompt", "--help", cwd=tmp_path, HOME=str(tmp_path))
    assert (result.returncode, result.stderr) == (0, "")
    assert "demo" in result.stdout


def test_installed_demo_names_what_is_missing(installed: Path, tmp_path: Path) -> None:
    """A wheel has no mint beside it: one sentence, and nothing left running or lying about."""
    result = run(
        *(installed / "peer2prompt", "demo", "--ask", "What is an onion?", "--home", "state"),
        cwd=tmp_path,
        HOME=str(tmp_path),
    )
    assert result.returncode == 2
    assert "make env" in result.stderr
    assert "Traceback" not in result.stderr

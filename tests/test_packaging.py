"""What is delivered beside the code: settings by example, pins, processes."""

import re
import tomllib

import pytest

from app.config import Settings
from tests.source import REPOSITORY


def example() -> dict[str, str]:
    text = (REPOSITORY / ".env.example").read_text()
    return dict(re.findall(r"^#([A-Z_]+)=(.*)$", text, re.MULTILINE))


def pinned(file: str) -> dict[str, str]:
    """The pinned version of each package, with its condition."""
    text = (REPOSITORY / file).read_text()
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+.*?) \\$", text, re.MULTILINE))


def test_the_example_lists_every_setting_at_its_default():
    """Who reads .env.example knows all settings, and what holds when nothing is set."""
    shown = example()
    assert set(shown) == {name.upper() for name in Settings.model_fields}
    by_example = Settings.from_env({name: value for name, value in shown.items() if value})
    assert by_example == Settings.from_env({})


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt"])
def test_pins_are_complete_and_name_no_registry(file):
    """Every package is pinned with hashes, and comes from wherever the installer is told."""
    text = (REPOSITORY / file).read_text()
    assert "://" not in text
    assert not re.search(r"^-", text, re.MULTILINE)
    blocks = re.split(r"\n(?=\S)", text.strip())
    assert len(blocks) == len(pinned(file))
    assert all("--hash=sha256:" in block for block in blocks)


def test_the_pins_are_those_of_the_project():
    """Whatever the project needs is pinned, and development runs what production runs."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    needed = {re.split(r"[\[>=]", each)[0] for each in project["project"]["dependencies"]}
    production, development = pinned("requirements.txt"), pinned("requirements-dev.txt")
    assert needed <= set(production)
    assert production.items() <= development.items()


def test_the_procfile_names_its_processes():
    """A host finds how to prepare a release, to serve and to work in the background."""
    lines = (REPOSITORY / "Procfile").read_text().splitlines()
    assert [line.split(":")[0] for line in lines] == ["release", "web", "worker"]

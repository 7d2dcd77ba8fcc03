"""What the project says about itself is true, and says the same everywhere."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

import app

ROOT = Path(__file__).parents[2]
DECISIONS = ROOT / "docs" / "decisions"
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"))
)


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_version_is_the_same_everywhere() -> None:
    compose = yaml.safe_load(text("docker-compose.yml"))

    assert "version" in tomllib.loads(text("pyproject.toml"))["project"]["dynamic"], (
        "hatch reads it"
    )
    assert compose["services"]["api"]["image"] == f"product-factory:{app.__version__}"
    heading = rf"^## \[{re.escape(app.__version__)}\] - "
    assert re.search(heading, text("CHANGELOG.md"), re.MULTILINE)


def test_every_decision_is_in_the_index_under_its_number() -> None:
    row = r"^\| \[(\d{4})\]\((\d{4}-[a-z0-9-]+\.md)\)"
    listed = re.findall(row, text("docs/decisions/README.md"), re.MULTILINE)
    present = sorted(path.name for path in DECISIONS.glob("[0-9]*.md"))

    assert [name for _, name in listed] == [name for name in present if name != "0000-template.md"]
    assert all(name.startswith(f"{number}-") for number, name in listed)


@pytest.mark.parametrize("path", sorted(DECISIONS.glob("[0-9]*.md")), ids=lambda path: path.name)
def test_a_decision_says_what_was_weighed(path: Path) -> None:
    content = path.read_text(encoding="utf-8")

    assert re.match(r"# (NNNN|\d{4}): ", content)
    assert re.search(r"^Status: (in force|superseded by \d{4})", content, re.MULTILINE)
    headings = re.findall(r"^## (.+)$", content, re.MULTILINE)
    assert headings == ["The question", "The decision", "What else there was", "What follows"]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_between_documents_lead_somewhere(name: str) -> None:
    folder = (ROOT / name).parent
    targets = re.findall(r"\]\((?![a-z]+:|#)([^)#\s]+)", text(name))

    assert [target for target in targets if not (folder / target).exists()] == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_habits_that_documents_name_are_there(name: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", text("Makefile"), re.MULTILINE))
    # In code only: prose may make sense otherwise.
    code = re.findall(r"```sh\n.*?```|`make [^`]*`", text(name), re.DOTALL)
    named = set(re.findall(r"\bmake ([a-z-]+)", "\n".join(code)))

    assert named <= targets


def test_the_folders_that_contributing_names_are_there() -> None:
    table = text("CONTRIBUTING.md").split("## Where things are")[1].split("\n## ")[0]
    folders = [folder for folder in re.findall(r"`([a-z_/]+/)`", table) if folder.count("/") > 0]
    roots = (ROOT, ROOT / "tests")

    assert folders
    assert [f for f in folders if not any((root / f).is_dir() for root in roots)] == []

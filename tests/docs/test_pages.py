"""What holds for every page of the docs, written by hand or generated."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "zoo").glob("*/README.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_names_a_folder_of_a_machine(page: Path) -> None:
    text = page.read_text("utf-8")
    assert not re.findall(r"(?<![\w…~/.])/(?:work|home|root|tmp|usr|var|opt|mnt|srv)/[\w.-]+", text)
    assert str(ROOT) not in text

"""The cards of the embedded zoo: as the command writes them, with lines that run."""

import os
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from sgf_hub.hub.fetching.manifest import read_manifest
from sgf_hub.hub.names import Entry, entries
from sgf_hub.hub.publishing.cards import CARD, code_of, fresh_card, pictures_of

ENTRIES = [pytest.param(entry, id=entry.name) for entry in entries()]


@pytest.mark.parametrize("entry", ENTRIES)
def test_is_up_to_date(entry: Entry) -> None:
    assert (entry.path / CARD).read_text("utf-8") == fresh_card(entry.path), f"run `sgf-hub cards {entry.name}`"


@pytest.mark.parametrize("entry", ENTRIES)
def test_its_lines_run(
    entry: Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    if "faces-" in entry.name:
        request.getfixturevalue("fetched_faces")
    monkeypatch.chdir(tmp_path)
    code = code_of((entry.path / CARD).read_text("utf-8"))
    assert f'"sgf-hub/{entry.name}"' in code
    exec(compile(code, CARD, "exec"), {})


@pytest.mark.parametrize("entry", ENTRIES)
def test_says_what_a_card_should(entry: Entry) -> None:
    text = (entry.path / CARD).read_text("utf-8")
    card = ModelCard(text)
    for title in ("## Use", "## Limitations", "## Licence and citation", "@inproceedings{li2021"):
        assert title in card.text
    manifest = read_manifest(entry.path)
    assert ("## Training" in card.text) == (entry.path / "training.json").is_file()
    assert ("## Where it comes from" in card.text) == bool(manifest)
    assert manifest is None or all(one in card.text for one in (manifest.author, manifest.notice, manifest.sha256))
    assert "$" not in card.text.replace("$0", "")
    data = card.data
    assert (
        data.license == (manifest.license if manifest else "apache-2.0")
        and data.library_name
        and data.pipeline_tag
        and data.tags
    )
    parent = entry.config.get("generator") or entry.config.get("backbone") or entry.config.get("captioner")
    assert data.base_model == parent
    for picture in pictures_of(text, entry.path):
        size = os.path.getsize(entry.path / picture)
        assert size < 150_000 or picture == "sentences.png"
    if entry.kind in ("SGFMapping", "StyleGAN2", "ProGAN"):
        assert "strip.png" in pictures_of(text, entry.path)
    if (entry.path / "measured.json").is_file():
        assert data.eval_results

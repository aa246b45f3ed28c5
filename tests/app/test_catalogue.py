"""The cards of the Zoo tab: every entry, nothing typed in, and nothing loaded for them."""

import json

import pytest

import sgf_hub.hub.names
from app.tabs import catalogue
from sgf_hub.hub.fetching.manifest import read_manifest
from sgf_hub.hub.names import entries, root
from sgf_hub.hub.publishing.cards import code_of, figures_of


@pytest.fixture(scope="module")
def cards():
    return {card.name: card for card in catalogue.cards()}


def test_every_entry_has_a_card(cards):
    assert set(cards) == {entry.name for entry in entries()}
    groups = [card.group for card in catalogue.cards()]
    assert groups == sorted(groups, key=list(catalogue.GROUPS).index), "mappings come first"
    for card in cards.values():
        assert card.does.endswith(".") and card.kind
        assert card.opens == (card.group == "Mappings") == card.name.startswith("sgf-")


def test_facts_are_licence_and_size_and_who_made_what_others_published(cards):
    for entry in entries():
        licence, size, *author = cards[entry.name].facts
        manifest = read_manifest(entry.path)
        if manifest is None:
            assert not author and size.endswith("B") and licence in ("Apache-2.0", "No licence named")
        else:
            assert author == [f"by {manifest.author}"] and licence.lower() == manifest.license
            assert size.endswith("MB, fetched at its first use") or "KB, fetched" in size
            assert not cards[entry.name].opens
    assert cards["faces-dcgan"].facts[0] == "MIT" and cards["faces-dcgan"].does.startswith("Makes rendered faces of 64")


def test_a_manifest_that_cannot_be_read_hides_no_card(tmp_path, monkeypatch):
    folder = tmp_path / "zoo" / "faces-odd"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"class": "DCGAN", "resolution": 64}))
    (folder / "fetch.json").write_text("{}")
    monkeypatch.setattr(sgf_hub.hub.names, "root", lambda: tmp_path / "zoo")
    assert "faces-odd" in catalogue.page() and "No licence named" in catalogue.page()


def test_known_kinds_have_words(cards):
    assert not [card.name for card in cards.values() if card.does == "A part of the zoo."]
    assert cards["sgf-avatars-keypoints"].kind == "Edits by 25 attributes and 27 keypoints"
    assert cards["sgf-flowers-captions"].kind == "Edits by a sentence"


def test_figures_and_code_are_the_cards(cards):
    for name in ("sgf-avatars-attributes", "avatars-stylegan2", "avatars-attributes", "sgf-avatars-progan-attributes"):
        readme = (root() / name / "README.md").read_text("utf-8")
        assert cards[name].code == code_of(readme)
        assert cards[name].figures == tuple(figures_of(root() / name)) != ()
        for title, data, figure in cards[name].figures:
            assert f"| {title} | {data} | {figure} |" in readme or f"name: {title}" in readme
    assert any("MDS, overall" in title for title, _, _ in cards["sgf-avatars-progan-attributes"].figures)


def test_strips_are_small_jpegs(cards):
    shown = [card for card in cards.values() if card.picture]
    assert {card.group for card in shown} == {"Mappings", "Generators"} and len(shown) >= 7
    assert all(card.picture.startswith("data:image/jpeg;base64,") and len(card.picture) < 40_000 for card in shown)
    assert len(catalogue.page()) < 300_000


def test_the_page_is_escaped(tmp_path, monkeypatch):
    folder = tmp_path / "zoo" / "bad"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"class": "<img src=x onerror=alert(1)>${7*7}"}))
    (tmp_path / "zoo" / "worse").mkdir()
    (tmp_path / "zoo" / "worse" / "config.json").write_text("{")
    (folder / "strip.png").write_bytes(b"no picture")
    (folder / "training.json").write_text("[]")
    monkeypatch.setattr(sgf_hub.hub.names, "root", lambda: tmp_path / "zoo")
    page = catalogue.page()
    assert "<img" not in page and "${" not in page and "Damaged" in page and "No licence named" in page

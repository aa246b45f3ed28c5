"""The embedded zoo as cards: what each entry is, what was measured of it, and the code to use it. No Gradio in here.

Everything but the sentences comes from the entries' own files. Built when it is first looked at: the library that reads
the cards is imported then, and not while the page starts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from app.panels.hub import conditions_in_words
from app.widgets.captions import safe
from app.widgets.render import jpeg_uri

if TYPE_CHECKING:
    from sgf_hub.hub.names import Entry

GROUPS = {
    "Mappings": "Each edits the pictures of one generator. Open one to try it here.",
    "Generators": "Each draws pictures out of random numbers.",
    "Predictors": "Each reads something in a picture; edits aim at what they read.",
    "Baselines": "Other methods, fitted to the same generators, to compare with.",
    "Other": "Parts that the rest of the page uses.",
}
_WORLDS = {"avatars": "drawn faces", "flowers": "drawn flowers", "faces": "rendered faces"}
_LICENCES = {"apache-2.0": "Apache-2.0", "mit": "MIT", "cc0-1.0": "CC0-1.0"}
_FRAMES = 4  # of a strip, as many as a card is wide
_MOST_FRAMES = 32


@dataclass(frozen=True)
class Card:
    """An entry as the page shows it.

    Args:
        name: of the entry.
        group: of `GROUPS`.
        kind: what it is, in a few plain words.
        does: what it does, in a sentence.
        facts: licence and size, in a few words each; and who made what others published.
        figures: what was measured: title, on what, figure.
        code: lines of Python; "" where there are none.
        picture: a data URI; "" where there is none.
        shows: what the picture shows.
        opens: whether it can be opened here.
    """

    name: str
    group: str
    kind: str
    does: str
    facts: tuple[str, ...]
    figures: tuple[tuple[str, str, str], ...]
    code: str
    picture: str
    shows: str
    opens: bool


def cards() -> tuple[Card, ...]:
    """All entries of the embedded zoo, those of a group together."""
    from sgf_hub.hub.names import root

    return _cards(root())


def page() -> str:
    """The cards as HTML."""
    from sgf_hub.hub.names import root

    return _page(root())


@lru_cache(maxsize=2)
def _cards(root: Path) -> tuple[Card, ...]:
    from sgf_hub.hub.names import entries

    found = [_card(entry) for entry in entries()]
    return tuple(sorted(found, key=lambda card: (list(GROUPS).index(card.group), "judge" in card.name, card.name)))


@lru_cache(maxsize=2)
def _page(root: Path) -> str:
    parts = []
    for title, about in GROUPS.items():
        members = [card for card in _cards(root) if card.group == title]
        if members:
            shown = "".join(_article(card) for card in members)
            parts.append(
                f'<section class="zoo-group"><h3>{title} <small>{len(members)}</small></h3>'
                f'<p class="hint">{about}</p><div class="zoo-cards">{shown}</div></section>'
            )
    return "".join(parts)


# -- an entry as a card ------------------------------------------------------------------------------------------------


def _card(entry: Entry) -> Card:
    from sgf_hub.errors import SGFError
    from sgf_hub.hub.publishing.cards import figures_of, own_id, world_of
    from sgf_hub.hub.publishing.code import code_block

    group, kind, does = _words(entry)
    try:
        figures = tuple(figures_of(entry.path))
    except (SGFError, KeyError, TypeError, ValueError):  # one damaged entry must not hide the others
        figures = ()
    try:
        code = code_block(entry.kind, entry.config, own_id(entry.path), world_of(entry.path))
    except (LookupError, TypeError):  # a kind of which no card tells a use
        code = ""
    try:
        facts = _facts(entry)
    except SGFError:  # a manifest that cannot be read
        facts = ("No licence named", _size(entry.size))
    picture = _strip(entry.path / "strip.png")
    shows = "An edit, step by step" if group == "Mappings" else "Pictures that it draws"
    opens = group == "Mappings"
    return Card(entry.name, group, kind, does, facts, figures, code, picture, shows, opens)


def _facts(entry: Entry) -> tuple[str, ...]:
    """Licence and size; of what others published, by their word, with the author."""
    from sgf_hub.hub.fetching.manifest import read_manifest
    from sgf_hub.hub.publishing.cards import licence_of

    manifest = read_manifest(entry.path)
    licence = manifest.license if manifest else licence_of(entry.path)
    named = _LICENCES.get(licence, licence) or "No licence named"
    if manifest is None:
        return named, _size(entry.size)
    size = _size(entry.size or manifest.wheel_bytes)
    return named, f"{size}, fetched at its first use", f"by {manifest.author}"


def _words(entry: Entry) -> tuple[str, str, str]:
    """Group, kind, and what it does."""
    config, name = entry.config, entry.name
    attributes, keypoints = (len(config.get(key) or ()) for key in ("attributes", "keypoints"))
    asked = conditions_in_words(attributes, keypoints, 1 if config.get("caption") else 0)
    pictures = next((words for world, words in _WORLDS.items() if world in name), "pictures")
    generator = str(config.get("generator", "")).rpartition("/")[2]
    side = config.get("resolution") or config.get("image_size")
    judge = " A second opinion: it was trained apart, and judges edits without steering any." if "judge" in name else ""
    known = {
        "SGFMapping": (
            "Mappings", f"Edits by {asked}",
            f"Changes {pictures} made by {generator} as you ask, and holds the rest still.",
        ),
        "StyleGAN2": (
            "Generators", "StyleGAN2", f"Makes {pictures} of {side} pixels a side; edits move in its space W."
        ),
        "ProGAN": (
            "Generators", "ProgressiveGAN", f"Makes {pictures} of {side} pixels a side; edits move in its space Z."
        ),
        "DCGAN": ("Generators", "DCGAN", f"Makes {pictures} of {side} pixels a side; edits move in its space Z."),
        "AttributeHead": ("Predictors", f"Reads {asked}", f"Looks for {asked} in {pictures}.{judge}"),
        "KeypointHead": ("Predictors", f"Reads {asked}", f"Finds {asked} in {pictures}.{judge}"),
        "FaceMesh": (
            "Predictors", "Face mesh", "Finds a face and 468 points of it, which other readers of faces share."
        ),
        "FaceKeypoints": ("Predictors", f"Reads {asked}", f"Takes {asked} out of the face mesh's."),
        "FaceMeasures": (
            "Predictors", f"Measures {asked}", f"Measures in {pictures} what needs no labels: pose, brows, light, skin."
        ),
        "FaceGender": ("Predictors", "Reads 1 attribute", "Says whether a face looks male."),
        "CaptionPredictor": (
            "Predictors", "Reads captions", f"Tells how near the caption of {pictures} is to a sentence of yours."
        ),
        "PromptPredictor": ("Predictors", "Reads prompts", "Tells how well sentences of yours fit a picture."),
        "captioner": ("Predictors", "Writes captions", f"Describes {pictures} in a sentence."),
        "classifier": ("Predictors", "Reads labels", f"Says which labels {pictures} have."),
        "backbone": (
            "Predictors", "Backbone", f"Turns {pictures} into features, which the readers above it share.{judge}"
        ),
        "Boundaries": (
            "Baselines", "InterFaceGAN", f"One straight direction in the space of {generator} for each of {asked}."
        ),
        "Components": (
            "Baselines", "GANSpace",
            f"The directions in which {generator} varies most, and which of them is nearest to each of {asked}.",
        ),
        "LatentClassifiers": (
            "Baselines", "LACE", f"Networks that read {asked} from a latent of {generator}, whose gradients lead there."
        ),
        "StyleChannels": (
            "Baselines", "StyleSpace", f"Channels of {generator}'s styles that change each of {asked}, and little else."
        ),
        "LatentEncoder": ("Other", "Encoder", f"Guesses which latent of {generator} draws a given picture."),
        "damaged": ("Other", "Damaged", "Its config.json cannot be read."),
    }  # fmt: skip
    return known.get(entry.kind, ("Other", entry.kind[:40], "A part of the zoo."))


def _size(count: int) -> str:
    return f"{count / 2**20:.1f} MB" if count >= 2**20 else f"{max(count / 2**10, 1):.0f} KB"


def _strip(path: Path) -> str:
    """The first, the last, and those between, of a strip of square pictures, as a JPEG in a data URI; "" if none."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            side, count = image.height, image.width // image.height
            if not 1 <= count <= _MOST_FRAMES:
                return ""
            chosen = [round(i * (count - 1) / (_FRAMES - 1)) for i in range(_FRAMES)]
            page = Image.new("RGB", (side * _FRAMES, side))
            for i, frame in enumerate(chosen):
                page.paste(image.convert("RGB").crop((side * frame, 0, side * (frame + 1), side)), (side * i, 0))
            return jpeg_uri(page, 84)
    except (OSError, Image.DecompressionBombError):
        return ""


# -- a card as HTML ----------------------------------------------------------------------------------------------------


def _article(card: Card) -> str:
    strip = f'<img class="zoo-strip" src="{card.picture}" alt="{safe(card.shows)}">' if card.picture else ""
    button = (
        f'<button type="button" data-open="{safe(card.name)}" aria-label="Open {safe(card.name)}">Open</button>'
        if card.opens
        else ""
    )
    facts = "".join(f"<span>{safe(fact)}</span>" for fact in card.facts)
    return (
        f'<article class="zoo-card">{strip}<header><div><p class="zoo-kind">{safe(card.kind)}</p>'
        f"<h4>{safe(card.name)}</h4></div>{button}</header>"
        f'<p class="zoo-does">{safe(card.does)}</p><p class="zoo-facts">{facts}</p>'
        f"{_figures(card)}{_code(card)}</article>"
    )


def _figures(card: Card) -> str:
    if not card.figures:
        return ""
    rows = "".join(
        f"<tr><th>{safe(title)}<small>{safe(data)}</small></th><td>{safe(figure)}</td></tr>"
        for title, data, figure in card.figures
    )
    return f"<details><summary>Measured</summary><table><tbody>{rows}</tbody></table></details>"


def _code(card: Card) -> str:
    if not card.code:
        return ""
    label = f"Copy the code of {card.name}"
    return (
        f'<details><summary>In Python</summary><div class="zoo-code"><pre tabindex="0"><code>{safe(card.code)}</code>'
        f'</pre><button type="button" data-copy aria-label="{safe(label)}">Copy</button></div></details>'
    )

"""The paper's Figure 7 for flowers: edits by target captions (a), and captions composed of the same words (b)."""

from pathlib import Path

import torch
from PIL import Image

from sgf_hub.data.pictures import labelled_sheet, to_pictures
from sgf_hub.editing import EditConfig, SGFEditor
from sgf_hub.predictors import CaptionPredictor

TARGETS = (
    "this flower has small white petals with a yellow center",
    "a large red flower with pointed petals",
    "this flower has purple ruffled petals",
    "a yellow flower with round petals and a brown center",
    "this closed flower has pink petals",
)
COMPOSED = (
    ("large and red", "red and large", "small and red", "red and small", "large and white"),
    ("red", "purple", "red and purple", "pink and white", "white with pink tips"),
)
SEEDS = (3, 8, 21)  # of (a), chosen before any edit was looked at; (b) takes the last, neither large nor red


@torch.no_grad()
def draw_sentences(editor: SGFEditor, path: Path, config: EditConfig | None = None) -> list[dict[str, str]]:
    """Draw the figure.

    Args:
        editor: of a mapping of captions.
        path: the picture to write.
        config: how edits step; our way by default.

    Returns:
        What was asked of each flower and what the captioner reads in the result: "seed", "asked", "read".
    """
    predictor = editor.predictor
    assert isinstance(predictor, CaptionPredictor)
    asked: list[dict[str, str]] = []

    def row(seed: int, targets: tuple[str, ...]) -> list[tuple[str, Image.Image]]:
        latent = editor.generator.sample(1, seed=seed)
        image = editor.generator.synthesize(latent)
        cells = [(f"read as: {predictor.words(predictor(image))[0]}", to_pictures(image)[0])]
        for text in targets:
            result = editor.edit(latent, {"caption": text}, config).result
            asked.append({"seed": str(seed), "asked": text, "read": predictor.words(result.c)[0]})
            cells.append((f"\u201c{text}\u201d", to_pictures(result.images)[0]))
        return cells

    titles = ("(a) target captions", "", "", "(b) the same words composed", "")
    rows = [row(seed, TARGETS) for seed in SEEDS] + [row(SEEDS[-1], words) for words in COMPOSED]
    labelled_sheet(rows, titles=titles).save(path)
    return asked

"""The strip of pictures that a model card shows: samples of a generator, or an edit of a mapping step by step."""

from pathlib import Path

from PIL import Image, PngImagePlugin

from sgf_hub.data.pictures import to_pictures
from sgf_hub.hub.files import CONFIG
from sgf_hub.hub.kinds import kind_of, role_of
from sgf_hub.hub.provenance import stamp
from sgf_hub.hub.publishing.cards import STRIP
from sgf_hub.hub.publishing.code import example_of
from sgf_hub.validation import read_json

FRAMES = 8
SIDE = 96  # px
_SEED = 7  # of samples


def draw_strip(folder: Path) -> Path:
    """Draw a folder's strip: the edit of its card's code, from before (left) to after (right), or samples.

    Args:
        folder: of a mapping or of a generator.

    Returns:
        The picture.
    """
    from sgf_hub.editing.editor import SGFEditor
    from sgf_hub.generators import load_generator

    config = read_json(folder / CONFIG)
    if role_of(kind_of(config)) == "mapping":
        editor = SGFEditor.from_pretrained(str(folder))
        seed, wish = example_of(config)
        latent = editor.generator.sample(1, seed=seed)
        trajectory = editor.edit(latent, wish)
        last = trajectory.chosen[0]
        shown = min(FRAMES, last + 1)
        steps = [trajectory.steps[round(i * last / max(shown - 1, 1))] for i in range(shown)]
        pictures = [to_pictures(step.images, side=SIDE)[0] for step in steps]
    else:
        generator = load_generator(str(folder))
        pictures = to_pictures(generator.synthesize(generator.sample(FRAMES, seed=_SEED)), side=SIDE)
    page = Image.new("RGB", (SIDE * len(pictures), SIDE), "white")
    for i, picture in enumerate(pictures):
        page.paste(picture, (i * SIDE, 0))
    said = PngImagePlugin.PngInfo()
    said.add_text("Comment", stamp([folder.name]))
    path = folder / STRIP
    page.quantize(128).save(path, optimize=True, pnginfo=said)
    return path

"""Pictures with words under them."""

import numpy as np
from PIL import Image

from sgf_hub.data.pictures import labelled_sheet


def dark(page: Image.Image) -> np.ndarray:
    """Where there is ink, or a picture."""
    return np.asarray(page.convert("L")) < 200


def test_words_stay_under_their_picture() -> None:
    picture = Image.new("RGB", (8, 8), "black")
    long = "a sentence that goes on for much longer than one line of the picture could ever hold"
    alone, beside = (labelled_sheet([[(words, picture), ("", picture)]], side=64) for words in (long, "short"))
    assert alone.width == beside.width and alone.height > beside.height
    below = dark(alone)[4 + 64 + 2 :]
    assert below[:, : 4 + 64 + 2].any() and not below[:, 4 + 64 + 2 :].any()


def test_rows_and_titles_have_their_place() -> None:
    cells = [("one", Image.new("RGB", (4, 4), "black"))]
    plain, titled = (
        labelled_sheet([cells, cells], side=64),
        labelled_sheet([cells, cells], titles=("", "a title"), side=64),
    )
    assert titled.height - plain.height == 16
    assert plain.height == 2 * (64 + 8 + 8) + 4

"""The templates of `model_cards/`: beside the library in a checkout, inside it in a wheel."""

from pathlib import Path


def template(name: str) -> str:
    """The text of one of them, by its path."""
    here = Path(__file__).resolve().parents[2]
    packed = here / "_model_cards"  # in a wheel
    return ((packed if packed.is_dir() else here.parent / "model_cards") / name).read_text("utf-8")

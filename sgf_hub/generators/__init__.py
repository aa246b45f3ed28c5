"""Generators: latent to image. `load_generator` gives one by name."""

from pathlib import Path

from sgf_hub.errors import CorruptFileError
from sgf_hub.types import Generator, read_json, short
from sgf_hub.zoo import locate


def load_generator(name: str | Path, *, revision: str | None = None) -> Generator:
    """The generator called `name`: a folder, an entry of the embedded zoo, or a Hub id.

    Raises:
        UnknownNameError: if nothing answers to the name.
        CorruptFileError: if it is not a generator, or damaged.
    """
    from sgf_hub.generators.progan import ProGAN
    from sgf_hub.generators.stylegan2 import StyleGAN2

    kinds: dict[str, type[StyleGAN2 | ProGAN]] = {"StyleGAN2": StyleGAN2, "ProGAN": ProGAN}
    folder = locate(str(name), revision=revision)
    kind = read_json(folder / "config.json").get("class")
    if not isinstance(kind, str) or kind not in kinds:
        held = short(kind) if kind else "a foreign model"
        raise CorruptFileError(f"{str(name)!r} holds {held}, not a generator: {', '.join(kinds)}.")
    return kinds[kind].from_pretrained(name, revision=revision)


__all__ = ["load_generator"]

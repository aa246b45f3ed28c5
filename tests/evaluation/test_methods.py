"""Which methods an evaluation takes."""

from pathlib import Path

import pytest

from sgf_hub.errors import BadValueError
from sgf_hub.evaluation.disentanglement.methods import METHODS, Methods
from tests.toys import toy_mapping


def test_all_are_those_that_suit_the_generator(in_zoo: Path, tmp_path: Path) -> None:
    toy_mapping(generator="sgf-hub/toy-progan", latent_space="z").save_pretrained(in_zoo / "sgf-toy-z")
    assert Methods("sgf-toy-attributes", tmp_path / "out", None).suited == METHODS
    without = Methods("sgf-toy-z", tmp_path / "out", None)
    assert without.suited == tuple(name for name in METHODS if name != "stylespace")
    with pytest.raises(
        BadValueError, match="'stylespace' moves the styles of a StyleGAN2, and sgf-hub/toy-progan has n"
    ):
        list(without.fit(["sgf", "stylespace"]))
    assert not (tmp_path / "out").exists()  # told before any pair is sampled

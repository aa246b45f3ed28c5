"""Edits by sentence as they are measured: what a sentence asks for, what a judge sees, what counts as kept."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import ModelCard

from sgf_hub.data.flowers import ATTRIBUTES, EXCLUSIVE, stated
from sgf_hub.evaluation.captions import KINDS, SAID, UNSAID, found, kept, read, request
from sgf_hub.evaluation.disentanglement.card import write_captions_card
from sgf_hub.types import ConditionSpec

NOW = {
    "color": "red", "second": "white", "pattern": "tips", "size": "large", "shape": "round", "center": "yellow",
    "closed": "", "petals": "6", "background": "dark", "layered": "", "leaves": "leaves",
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_request_asks_for_something_else_in_every_factor_it_speaks_of(kind: str):
    for seed in range(50):
        one = request(kind, NOW, np.random.default_rng(seed))
        assert tuple(one.asked) == KINDS[kind]
        assert stated(one.text) == one.asked
        if "second" in one.asked:
            assert {one.asked["color"], one.asked["second"]} != {"red", "white"}
        else:
            assert all(NOW[factor] != value for factor, value in one.asked.items())
        assert "a orange" not in one.text


def test_requests_are_repeatable_and_varied():
    texts = [request("color, shape", NOW, np.random.default_rng(seed)).text for seed in range(40)]
    assert texts == [request("color, shape", NOW, np.random.default_rng(seed)).text for seed in range(40)]
    assert len(set(texts)) > 8


def test_found_takes_two_colours_in_either_order():
    asked = {"color": "white", "second": "red"}
    assert found(asked, NOW) == [True]
    assert found({"color": "red", "second": "yellow"}, NOW) == [False]
    assert found({"color": "red", "size": "small"}, NOW) == [True, False]


def test_kept_looks_at_what_the_sentence_leaves():
    after = {**NOW, "second": "pink", "center": "green", "leaves": ""}
    assert kept({"size": "small"}, NOW, after) == [True, False, True, True, False, True]
    assert kept({"color": "blue"}, NOW, after) == [True, True, False, True]  # colours named: both are spoken of
    assert kept({"color": "blue"}, NOW, after, UNSAID) == [True, True, True, False]
    assert len(kept({}, NOW, NOW)) == len(SAID)


class Judge:
    """Reads the scores that its pictures are made of."""

    spec = ConditionSpec(ATTRIBUTES, groups=EXCLUSIVE)

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1)[:, : len(ATTRIBUTES)]


def test_reading_takes_the_best_of_each_group_or_none():
    scores = torch.full((2, 48), -0.9)
    sees = {
        "red": -0.1, "white_second": 0.4, "pink_second": 0.6, "tips": 0.2, "small": 0.9, "pointed": 0.3,
        "green_center": 0.8, "5_petals": 0.1, "sky_background": 0.5,
    }  # fmt: skip
    for name, value in sees.items():
        scores[0, ATTRIBUTES.index(name)] = value
    scores[1, [ATTRIBUTES.index(name) for name in ("closed", "leaves")]] = 0.5
    first, second = read(Judge(), scores.reshape(2, 3, 4, 4))
    assert first == {
        "color": "red", "second": "pink", "pattern": "tips", "size": "small", "shape": "pointed", "center": "green",
        "closed": "", "petals": "5", "background": "sky", "layered": "", "leaves": "",
    }  # fmt: skip
    assert (second["closed"], second["leaves"], second["center"], second["second"]) == ("closed", "leaves", "", "")


def test_the_card_shows_what_was_measured(tmp_path: Path):
    config = {"class": "SGFMapping", "latent_space": "w", "latent_dim": 4, "generator": "g", "predictor": ["p"],
              "attributes": [], "keypoints": [], "caption": 2}  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "sentences.png").touch()
    figures = {"found": 0.75, "kept": 0.5, "unsaid_kept": 0.4, "reached": 0.6, "steps": 7.0, "similarity_before": 0.2,
               "similarity_after": 0.8, "sampled_found": 0.3, "sampled_kept": 0.1}  # fmt: skip
    rows = [{"stepping": stepping, "kind": "color", **figures} for stepping in ("paper", "tuned")]
    said = {"command": "sgf-hub measure captions x", "samples": 3, "seeds": 1, "rows": rows}
    for _ in range(2):  # writing again replaces
        text = write_captions_card(said, tmp_path).read_text()
    assert text.count("| color | 75.0% | 50.0% | 40.0% | 60.0% | 7.0 | 0.20 to 0.80 | 30.0% | 10.0% |") == 2
    assert text.count("](sentences.png)") == 1 and '{"caption": ' in text
    assert {one.metric_type: one.metric_value for one in ModelCard(text).data.eval_results} == {
        "found_by_judge": 0.75,
        "kept_by_judge": 0.5,
    }

"""The methods that an evaluation compares, by name: editors that share one generator and one predictor."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from safetensors.torch import save

from sgf_hub.baselines import FITTED, Baseline, baseline, check_method, fitted_name, suits
from sgf_hub.baselines import METHODS as BASELINES
from sgf_hub.baselines.fitted import Fitted
from sgf_hub.data.pairs import Pairs, PairsInfo, load_pairs, sample_pairs
from sgf_hub.editing import EditConfig, Editor, SGFEditor
from sgf_hub.hub import names as zoo
from sgf_hub.hub.files import CONFIG, WEIGHTS
from sgf_hub.hub.names import locate
from sgf_hub.hub.options import HUB_DEFAULTS, HubOptions
from sgf_hub.predictors import ImagePredictor, load_predictor
from sgf_hub.predictors.backbone import fingerprint
from sgf_hub.validation import read_json

SGF = {"sgf": "tuned", "sgf-paper": "paper"}  # method => stepping
METHODS = (*SGF, *BASELINES)
PAIRS = 50_000  # to fit baselines on, where none are given
_TRUNCATION, _SEED = 0.8, 7  # of those; the seed is another than the mapping's training pairs'


class Methods:
    """Editors by name, made when they are first asked for.

    Args:
        mapping: name of the mapping, whose generator and predictor all share.
        out: folder of the evaluation: pairs that are sampled, and what is fitted on pairs, are kept under it.
        pairs: a folder of pairs to fit on; sampled if None.
        hub: how the mapping is fetched.
    """

    def __init__(self, mapping: str, out: Path, pairs: Path | None, hub: HubOptions = HUB_DEFAULTS) -> None:
        self.mapping, self.out, self._pairs, self.hub = mapping, out, pairs, hub
        self.sgf = SGFEditor.from_pretrained(mapping, **vars(hub))
        self._baselines: dict[str, Baseline] = {}

    def editor(self, name: str) -> Editor:
        """The editor of a method in METHODS. Baselines that need it are fitted: `fit` does so with signs of life."""
        return self.sgf.preset(SGF[name])[0] if name in SGF else self._baseline(name)

    def config(self, name: str) -> EditConfig:
        """The settings of the method's curve, which goes on to the end of its way."""
        if name not in SGF:
            return self._baseline(name).sweep
        return replace(self.sgf.preset(SGF[name])[1], as_samples=False)

    def settings(self, name: str) -> dict[str, Any]:
        """All of a method's settings, as JSON takes them."""
        if name not in SGF:
            return {**asdict(self.config(name)), "step_size": self._baseline(name).step_size}
        rule: Any = self.sgf.preset(SGF[name])[0].stepping
        return {**asdict(self.config(name)), "stepping": {"rule": type(rule).__name__, **asdict(rule)}}

    def mark(self, name: str) -> str:
        """A digest of what was fitted for the method; "" where nothing was."""
        fitted = [] if name in SGF else [one for one in vars(self._baseline(name)).values() if isinstance(one, Fitted)]
        texts = [json.dumps(one.config(), sort_keys=True).encode() + save(one.state_dict()) for one in fitted]
        return hashlib.sha256(b"".join(texts)).hexdigest()[:16] if texts else ""

    @property
    def suited(self) -> tuple[str, ...]:
        """The methods that can edit the generator's latents."""
        return tuple(name for name in METHODS if name in SGF or suits(name, self.sgf.generator))

    def fit(self, names: Sequence[str]) -> Iterator[tuple[str, int, int]]:
        """Sample pairs and fit baselines on them, where neither this folder nor the embedded zoo holds them.

        Yields:
            What is being done, how much of it, of how much.

        Raises:
            BadValueError: if one of the methods cannot edit the generator's latents.
        """
        for name in names:
            if name not in SGF:
                check_method(name, self.sgf.generator, self.sgf.mapping.generator_name)
        for name in names:
            kind = name.removesuffix("-conditional")
            entry = fitted_name(self.sgf.mapping.generator_name, kind)
            if kind not in FITTED or any((folder / entry / CONFIG).is_file() for folder in (self._fitted, zoo.root())):
                continue
            if self._pairs is None:
                yield from (("sampling pairs", done, PAIRS) for done in self._sample_pairs())
            yield f"fitting {name}", 0, 1
            self._baseline(name)
            yield f"fitting {name}", 1, 1

    @cached_property
    def models(self) -> dict[str, str]:
        """Every repo that takes part, to a digest of its configuration and weights."""
        return digests([self.mapping], [], self.hub) | self._shared

    @cached_property
    def _shared(self) -> dict[str, str]:
        return digests([self.sgf.mapping.generator_name], self.sgf.mapping.predictor_names, self.hub.of_parts)

    @cached_property
    def _sampled(self) -> Path:
        """The pairs' folder; retrained models get another one."""
        return self._pairs or self.out / "pairs" / _short(self._shared)

    @cached_property
    def _fitted(self) -> Path:
        """The folder of what is fitted; other models, or other pairs, get another one."""
        given = {file.name: file.stat().st_size for file in sorted(self._pairs.iterdir())} if self._pairs else {}
        return self.out / "fitted" / _short([self._shared, str(self._pairs), given])

    def _baseline(self, name: str) -> Baseline:
        if name not in self._baselines:
            self._baselines[name] = baseline(
                name,
                self.sgf.generator,
                self.sgf.predictor,
                generator_name=self.sgf.mapping.generator_name,
                pairs=self._load_pairs,
                fitted=self._fitted,
            )
        return self._baselines[name]

    def _sample_pairs(self) -> Iterator[int]:
        generator, predictor, mapping = self.sgf.generator, self.sgf.predictor, self.sgf.mapping
        names = mapping.generator_name, mapping.predictor_names
        info = PairsInfo(*names, generator.latent_space, mapping.spec, _TRUNCATION, _SEED)
        return sample_pairs(generator, predictor, info, self._sampled, count=PAIRS)

    def _load_pairs(self) -> Pairs:
        return load_pairs(self._sampled)


def digests(models: Sequence[str], heads: Sequence[str], hub: HubOptions) -> dict[str, str]:
    """Repos of models, and of predictors' heads, to digests of their configuration and weights.

    Args:
        models: names.
        heads: names; the backbone that a head names is told too.
        hub: how they are fetched.
    """
    found = {}
    for name in (*models, *heads):
        folder = locate(name, hub, files=(CONFIG, WEIGHTS))
        found[name] = fingerprint(folder / CONFIG) + fingerprint(folder / WEIGHTS)
    for head in heads:
        config = read_json(locate(head, hub) / CONFIG)
        if "backbone" not in config:  # what is no head on a backbone is whole in its own folder
            continue
        lens = load_predictor(head, **vars(hub))
        assert isinstance(lens, ImagePredictor)
        found[config["backbone"]] = "".join(str(backbone.fingerprint) for backbone in lens.backbones)
    return found


def _short(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]

"""What every method of editing reads: what is asked for, when an edit stops, what of the latent it moves."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from torch import Tensor
from typing_extensions import Self

from sgf_hub.editing.statistics.distribution import QUANTILES
from sgf_hub.errors import BadValueError
from sgf_hub.types import Predictor, Target, Wish
from sgf_hub.validation import bounded, short

Wishes = Mapping[str, Wish]
Choice = Literal["balanced", "arrived"]

_BOUNDS = (("max_steps", 1, 10_000), ("tolerance", 0.0, 1e6), ("certainty", 1e-6, 1.0))


@dataclass(frozen=True, kw_only=True)
class EditConfig:
    """When an edit stops, what it aims at and what it moves. `EditConfig.paper()` has the paper's settings.

    Args:
        max_steps: n, after which an edit stops wherever it is; the paper does not say its own.
        tolerance: an edit has arrived at a distance of at most this, in the predictor's units (1 is "close"); with 0
            none ever has, and all samples take `max_steps`.
        certainty: factor on the tolerance where all that is asked is attributes wholly there or wholly gone
            (1 or 0): short of that, the picture is often in between (ours; the paper's is 1).
        as_samples: where the predictor is less certain of most samples that have an attribute, or have it not, an edit
            has arrived when it is as certain (ours): beyond that, pictures become alike.
        patience: stop as stalled after so many steps without a better distance; None never does (the paper).
        choose: which of the steps is the result: "balanced", the one that best balances what was asked with what else
            changed, as the predictor sees them (ours; `choosing`), or "arrived", the one at which the edit stopped (the
            paper). An edit goes on until it has arrived in either case; one by caption always gives the "arrived".
        return_best: of "arrived", a sample that stops short gives back its closest step, not its last one (ours).
        release_siblings: let go of attributes that exclude one that is raised (hair colours) and aim them at absent
            (ours).
        grounded: aim at the caption of a picture that does what the sentence asks and leaves the rest as it is
            (`CaptionPredictor.ground`), not at the sentence (ours); of attributes and keypoints it changes nothing.
        follow: aim points that nobody asked for where they go, in samples, with those that were asked (`following`;
            ours).
        within: share of the generator's latents, .5, .95 or .99, whose region no step leaves (ours; `distribution`);
            None goes wherever the field leads (the paper). A latent that begins far outside goes no farther out.
        layers: edit only the w+ layers first <= i < last; None edits all.
        resolution: side of the pictures on the way, which the predictor reads (ours: StyleGAN2 stops early at it); None
            draws all at full size. `edit` draws what came out at full size.

    Raises:
        BadValueError: if a value is out of its range.
    """

    max_steps: int = 60
    tolerance: float = 1.0
    certainty: float = 0.05
    as_samples: bool = True
    patience: int | None = 15
    choose: Choice = "balanced"
    return_best: bool = True
    release_siblings: bool = True
    grounded: bool = True
    follow: bool = True
    within: float | None = 0.95
    layers: tuple[int, int] | None = None
    resolution: int | None = None

    def __post_init__(self) -> None:
        for name, low, high in _BOUNDS:
            bounded(name, getattr(self, name), low, high)
        if self.patience is not None:
            bounded("patience", self.patience, 1, 10_000)
        if self.choose not in get_args(Choice):
            known = " or ".join(map(repr, get_args(Choice)))
            raise BadValueError(f"choose is {short(self.choose)}; choose {known}.")
        if self.within not in (None, *QUANTILES):
            raise BadValueError(f"within is {short(self.within)}; choose {', '.join(map(str, QUANTILES))} or None.")
        if self.layers is not None and not (
            isinstance(self.layers, (list, tuple)) and [type(end) for end in self.layers] == [int, int]
        ):
            raise BadValueError(f"layers are {short(self.layers)}; give two whole numbers, first and last + 1.")

    @classmethod
    def paper(cls, **changes: object) -> Self:
        """The paper's settings: every sample goes on until it is close or its steps run out, and ends where it is.

        Args:
            changes: settings to set otherwise.
        """
        plain = cls(
            max_steps=80,
            certainty=1.0,
            as_samples=False,
            patience=None,
            choose="arrived",
            return_best=False,
            release_siblings=False,
            grounded=False,
            follow=False,
            within=None,
        )
        return replace(plain, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True)
class EditRequest:
    """What a picture should become.

    Args:
        wishes: {"smile": 1, "nose_tip": (0.5, 0.6)} or {"caption": "a red flower"}.
        release: names of attributes or keypoints that need not be held.
        hold: names that are held as firmly as wishes are met: what they are is asked for (all else is held loosely).
    """

    wishes: Wishes
    release: tuple[str, ...] = ()
    hold: tuple[str, ...] = ()

    def target(self, predictor: Predictor, c0: Tensor) -> Target:
        """c1 for pictures that C reads as c0, [B, C].

        Raises:
            UnknownNameError: for a name that the predictor does not know.
            BadValueError: for a value out of range, no wish at all, or a name to be held that is asked for or released.
        """
        for name in self.wishes:
            predictor.spec.index(name)  # before they become keywords: one may be called "release"
        for name in self.hold:
            if name in self.wishes or name in self.release:
                also = "asked for" if name in self.wishes else "released"
                raise BadValueError(f"{short(name)} is to be held, and is {also} too: name it once.")
        target = predictor.target(c0, release=self.release, **self.wishes)
        for name in self.hold:
            target.asked[predictor.spec.index(name)] = True  # at c0, which is what c1 is where nothing is asked
        return target


def aimed(predictor: Predictor, c0: Tensor, target: Target | EditRequest | Wishes, config: EditConfig) -> Target:
    """Where an edit from c0 goes, as its config adapts what was asked for."""
    if isinstance(target, Target):
        aim = target
    else:
        aim = (target if isinstance(target, EditRequest) else EditRequest(target)).target(predictor, c0)
    if config.release_siblings:
        aim = _without_siblings(predictor, c0, aim)
    if config.grounded and predictor.spec.caption:
        aim = predictor.ground(c0, aim)  # type: ignore[attr-defined]
    return aim


def _without_siblings(predictor: Predictor, c0: Tensor, target: Target) -> Target:
    """The target with every attribute that excludes a raised one aimed at absent, and not asked for."""
    spec = predictor.spec
    c1 = target.c.clone()
    for name in spec.attributes:
        where = spec.index(name)
        if not bool(target.asked[where].all()):
            continue
        raised = (target.c[:, where] > c0[:, where]) & (target.c[:, where] > 0)  # B, 1
        for sibling in spec.siblings(name):
            other = spec.index(sibling)
            if not bool(target.asked[other].any()):
                c1[:, other] = torch.where(raised, torch.full_like(c1[:, other], -1.0), c1[:, other])
    return Target(c1, target.asked, target.released)

"""Algorithm 1 as an iterator of steps: `SGFEditor`.

The loop is `loop.edit_loop`, shared by all methods; what a step is, a rule of `stepping` says.
"""

import copy
from collections.abc import Iterator
from typing import Any

from torch import Tensor
from typing_extensions import Self

from sgf_hub.editing.config import EditConfig, EditRequest, Wishes
from sgf_hub.editing.loop import Stepper, edit_loop
from sgf_hub.editing.statistics.distribution import LatentDistribution
from sgf_hub.editing.statistics.following import followed
from sgf_hub.editing.stepping import EditContext, Fixed, SteppingRule, tuned
from sgf_hub.editing.together import Work, alone
from sgf_hub.editing.trajectory import EditStep, Trajectory, edit
from sgf_hub.errors import BadValueError, SpaceError, UnknownNameError
from sgf_hub.generators import load_generator
from sgf_hub.hub.names import sibling
from sgf_hub.hub.provenance import check_parts
from sgf_hub.hub.user_code import is_code
from sgf_hub.mapping import SGFMapping
from sgf_hub.predictors import load_predictor
from sgf_hub.types import Generator, Latent, Predictor, Target
from sgf_hub.validation import short

PRESETS = ("tuned", "paper")


class SGFEditor:
    """Algorithm 1: follow the surrogate gradient field of F from z0 until C(G(z)) is close to c1.

    Args:
        mapping: F.
        generator: G, whose latents F maps.
        predictor: C, which F was trained with.
        stepping: how steps are found; by default the `tuned` rule for the mapping. `Fixed()` is the paper's.

    Raises:
        SpaceError: if F and G disagree on the latent space or its dimension.
        BadValueError: if F and C disagree on the meaning of c.
    """

    def __init__(
        self,
        mapping: SGFMapping,
        generator: Generator,
        predictor: Predictor,
        stepping: SteppingRule | None = None,
    ) -> None:
        if (mapping.latent_space, mapping.latent_dim) != (generator.latent_space, generator.latent_dim):
            raise SpaceError(
                f"the mapping edits {mapping.latent_space!r} of {mapping.latent_dim} dimensions, the generator has "
                f"{generator.latent_space!r} of {generator.latent_dim}: use the generator it was trained with, "
                f"{mapping.generator_name}."
            )
        if mapping.spec.names != predictor.spec.names:
            raise BadValueError(
                f"the mapping was trained with other conditions than this predictor's: use "
                f"{', '.join(mapping.predictor_names)}."
            )
        self.mapping, self.generator, self.predictor = mapping, generator, predictor
        self.stepping: SteppingRule = tuned(mapping) if stepping is None else stepping
        self.distribution = LatentDistribution.of(mapping)
        self.typical = mapping.c_typical if mapping.latent_statistics else None

    @classmethod
    def from_pretrained(
        cls,
        name: str,
        *,
        generator: Generator | None = None,
        predictor: Predictor | None = None,
        stepping: SteppingRule | None = None,
        **hub: Any,
    ) -> Self:
        """Compose a mapping with the generator and the predictor that its config names.

        Args:
            name: a folder, an entry of the embedded zoo, or a Hub id.
            generator: one that is loaded, in place of the named one; your own, if it is no repo.
            predictor: likewise.
            stepping: as for the class.
            **hub: how it is fetched, as `HubOptions` has it; a revision and a subfolder are the mapping's.
        """
        mapping = SGFMapping.from_pretrained(name, **hub)
        folder, parts = mapping.folder, vars(mapping.hub)
        assert folder is not None
        named = ([] if generator is not None else [mapping.generator_name]) + (
            [] if predictor is not None else list(mapping.predictor_names)
        )
        check_parts(folder, named)

        def near(part: str) -> str:  # a folder that `sgf-hub fit` wrote beside the mapping's
            if is_code(part):
                raise UnknownNameError(
                    f"{name!r} was fitted to its maker's own code, {part}: give the generator and the predictor, "
                    "--generator and --predictor, or generator= and predictor= in Python."
                )
            return str(sibling(folder, part) or part)

        return cls(
            mapping,
            load_generator(near(mapping.generator_name), class_label=mapping.class_label, **parts)
            if generator is None
            else generator,
            load_predictor([near(part) for part in mapping.predictor_names], **parts)
            if predictor is None
            else predictor,
            stepping,
        )

    def preset(self, name: str) -> tuple[Self, EditConfig]:
        """This editor with a named way of stepping, and the settings that belong to it.

        Args:
            name: "tuned" (ours, for this mapping), or "paper" for Algorithm 1 as published.

        Raises:
            BadValueError: for another name.
        """
        if name not in PRESETS:
            raise BadValueError(f"stepping is {short(name)}; choose {' or '.join(map(repr, PRESETS))}.")
        if name == "paper":
            return self.with_stepping(Fixed()), EditConfig.paper()
        return self.with_stepping(tuned(self.mapping)), EditConfig()

    def with_stepping(self, rule: SteppingRule) -> Self:
        """The same editor with another rule; its networks are shared."""
        editor = copy.copy(self)  # with what is known of the latents, which takes a decomposition
        editor.stepping = rule
        return editor

    def edit(
        self, latent: Latent, target: Target | EditRequest | Wishes, config: EditConfig | None = None
    ) -> Trajectory:
        """Drain `steps`."""
        return edit(self, latent, target, config)

    def steps(
        self, latent: Latent, target: Target | EditRequest | Wishes, config: EditConfig | None = None
    ) -> Iterator[EditStep]:
        """Edit a batch of latents; each sample stops by itself.

        Args:
            latent: in the mapping's space, or "w+" for a mapping in "w".
            target: wishes such as {"smile": 1, "nose_tip": (0.5, 0.6)} or {"caption": "a red flower"}, a request that
                also releases something, or a `Target`.
            config: when to stop, and what to move.

        Yields:
            The picture before (index 0), then one step after another; the last one has a reason for every sample.

        Raises:
            SpaceError: if the latent is in another space.
        """
        yield from alone(self.work(latent, target, config))

    def work(
        self, latent: Latent, target: Target | EditRequest | Wishes, config: EditConfig | None = None,
        drawn: Tensor | None = None,
    ) -> Work:  # fmt: skip
        """The edit that `steps` makes, for `together.Together`, which makes many at once.

        Args:
            latent: as for `steps`.
            target: likewise.
            config: likewise.
            drawn: the pictures before, [B, 3, R, R], where they have been drawn already.
        """
        config = config or EditConfig()

        def begin(z0: Tensor, c0: Tensor, target: Target) -> Stepper:
            if config.follow and self.mapping.condition_factors:
                target = followed(self.mapping.c_factors, self.predictor.spec, c0, target)
            return self.stepping.begin(EditContext(self.mapping, self.predictor.spec, c0, target, config))

        return edit_loop(
            self.generator, self.predictor, latent, target, config, begin,
            distribution=self.distribution, typical=self.typical, drawn=drawn,
        )  # fmt: skip

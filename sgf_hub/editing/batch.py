"""One edit of many pictures: batch by batch, in bounded memory, and what came of each.

A `Trajectory` keeps every step of every sample; for a thousand pictures only the first and the chosen one are kept.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from sgf_hub.editing.trajectory import EditConfig, Editor, EditStep
from sgf_hub.errors import BadValueError
from sgf_hub.types import ConditionSpec, Generator, Latent, Wish, check_seed, short

MOST = 1000
"""Seeds of one run."""
_PIXELS = 2**20  # of a batch: 16 pictures of 256 px, or one of 1024 px
_LARGEST = 16


def seeds_of(text: str) -> list[int]:
    """The seeds that a text such as "0-99" or "3,5,10-20" names, each once.

    Raises:
        BadValueError: for any other text, and for more than `MOST` seeds.
    """
    ranges = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        try:
            begin, end = check_seed(first), check_seed(last if dash else first)
        except BadValueError:
            begin, end = 1, 0
        if end < begin:
            raise BadValueError(f"seeds are {short(text)}: write a range or a list, such as 0-99 or 3,5,10-20.")
        ranges.append(range(begin, end + 1))
    count = sum(one.stop - one.start for one in ranges)  # len() ends at 2**63
    if count > MOST:
        raise BadValueError(f"seeds {short(text)} are {count}; one run edits at most {MOST}.")
    return list(dict.fromkeys(seed for one in ranges for seed in one))


def samples(generator: Generator, seeds: Iterable[int], *, truncation: float = 0.8) -> Latent:
    """The latents of seeds, one each: what `sample(1, seed=...)` gives, as one batch."""
    each = [generator.sample(1, seed=seed, truncation=truncation) for seed in seeds]
    return Latent(torch.cat([one.data for one in each]), each[0].space)


def batches(seeds: Sequence[int], resolution: int) -> Iterator[Sequence[int]]:
    """The seeds in groups that are edited at once: the larger the pictures, the smaller."""
    size = max(1, min(_LARGEST, _PIXELS // resolution**2))
    for at in range(0, len(seeds), size):
        yield seeds[at : at + size]


@dataclass
class Outcome:
    """A batch of edits as far as it has come; what a `Trajectory` tells of it, without the steps between.

    Args:
        before: the pictures before.
        result: the outcome so far as one step, each sample from the step chosen for it.
        taken: for each sample, the steps that it moved.
    """

    before: EditStep
    result: EditStep
    taken: list[int]

    @classmethod
    def of(cls, first: EditStep) -> "Outcome":
        """Of the first step, the picture before."""
        return cls(first, first, [int(reason is None) for reason in first.reasons])

    def add(self, step: EditStep, *, return_best: bool) -> None:
        """Take note of the next step."""
        self.result = _better(self.result, step) if return_best else step
        self.taken = [n + (reason is None) for n, reason in zip(self.taken, step.reasons, strict=True)]

    @property
    def step(self) -> int:
        """How many steps were taken."""
        return self.result.index

    @property
    def moving(self) -> int:
        """How many samples have not come to their end."""
        return self.result.reasons.count(None)


def _better(best: EditStep, step: EditStep) -> EditStep:
    """Each sample from the closer one of two steps; of equals, from the later one."""
    old, new = (one.distance.nan_to_num(nan=float("inf")) for one in (best, step))
    rows = new <= old

    def pick(was: torch.Tensor, now: torch.Tensor) -> torch.Tensor:
        return torch.where(rows.view(-1, *[1] * (was.ndim - 1)), now, was)

    return replace(
        step,
        latent=Latent(pick(best.latent.data, step.latent.data), step.latent.space),
        images=pick(best.images, step.images),
        c=pick(best.c, step.c),
        distance=pick(best.distance, step.distance),
    )


def edit_seeds(
    editor: Editor,
    seeds: Sequence[int],
    wishes: Mapping[str, Wish],
    config: EditConfig,
    *,
    release: Sequence[str] = (),
    truncation: float = 0.8,
) -> Iterator[tuple[Sequence[int], Outcome]]:
    """Edit the pictures of seeds, batch by batch; each sample stops by itself.

    Args:
        editor: of any method.
        seeds: of the pictures.
        wishes: for all of them.
        config: how to step.
        release: names that need not be held.
        truncation: of the sampling.

    Yields:
        The seeds of a batch and how far it has come, after every step; it is done where none of it is `moving`.
    """
    generator, predictor = editor.generator, editor.predictor
    for chosen in batches(seeds, generator.resolution):
        start = samples(generator, chosen, truncation=truncation)
        with torch.no_grad():
            target = predictor.target(predictor(generator.synthesize(start)), release=release, **wishes)
        steps = editor.steps(start, target, config)
        outcome = Outcome.of(next(steps))
        yield chosen, outcome
        for step in steps:
            outcome.add(step, return_best=config.return_best)
            yield chosen, outcome


def changes(spec: ConditionSpec, before: torch.Tensor, after: torch.Tensor, wishes: Iterable[str]) -> dict[str, list]:
    """What an edit changed: every wish, and whatever else moved visibly; {name: [from, to]}.

    Attributes are probabilities, and count as moved from 0.5 on (the paper's threshold); keypoints are (x, y), and
    count from 3% of the side on.

    Args:
        spec: the meaning of c.
        before: [C].
        after: [C].
        wishes: the names that were asked for.
    """
    moved: dict[str, list] = {}
    for name in spec.attributes:
        where = spec.index(name)
        pair = [round((c[where].item() + 1) / 2, 3) for c in (before, after)]
        if name in wishes or abs(pair[1] - pair[0]) > 0.5:
            moved[name] = pair
    for name in spec.keypoints:
        where = spec.index(name)
        if name in wishes or (before[where] - after[where]).norm() > 0.03:
            moved[name] = [[round(v, 4) for v in c[where].tolist()] for c in (before, after)]
    return moved

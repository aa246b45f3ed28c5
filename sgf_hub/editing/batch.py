"""One edit of many pictures: batch by batch, in bounded memory, and what came of each.

Of a thousand pictures only the first and the chosen step are kept.
"""

from collections.abc import Iterable, Iterator, Sequence

import torch

from sgf_hub.editing.config import EditConfig, EditRequest
from sgf_hub.editing.together import at_once
from sgf_hub.editing.trajectory import Editor, Trajectory
from sgf_hub.errors import BadValueError
from sgf_hub.types import Generator, Latent
from sgf_hub.validation import check_seed, short

MOST = 1000
"""Seeds of one run."""


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
    size = at_once(resolution)
    for at in range(0, len(seeds), size):
        yield seeds[at : at + size]


def edit_seeds(
    editor: Editor, seeds: Sequence[int], request: EditRequest, config: EditConfig, *, truncation: float = 0.8
) -> Iterator[tuple[Sequence[int], Trajectory]]:
    """Edit the pictures of seeds, batch by batch; each sample stops by itself.

    Args:
        editor: of any method.
        seeds: of the pictures.
        request: for all of them.
        config: when to stop.
        truncation: of the sampling.

    Yields:
        The seeds of a batch and how far it has come, after every step; it is done where no reason is None.
    """
    for chosen in batches(seeds, editor.generator.resolution):
        start = samples(editor.generator, chosen, truncation=truncation)
        trajectory = Trajectory(editor.predictor.spec, config, keep=False)
        for step in editor.steps(start, request, config):
            trajectory.add(step)
            yield chosen, trajectory

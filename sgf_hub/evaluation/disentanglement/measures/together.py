"""What is measured of all attributes' edits of one method and seed together: DCI, and the Frechet distance."""

from collections.abc import Sequence
from dataclasses import asdict

import torch

from sgf_hub.evaluation.disentanglement.measures.dci import dci
from sgf_hub.evaluation.disentanglement.measures.flip import Edited
from sgf_hub.evaluation.disentanglement.measures.reference import Reference
from sgf_hub.predictors.frechet import frechet_distance


def together(edits: Sequence[Edited], reference: Reference) -> dict[str, float]:
    """The figures, by name; what is not defined is left out.

    Args:
        edits: of each attribute, of the same samples.
        reference: unedited samples.

    Returns:
        `disentanglement`, `completeness`, `informativeness`; `frechet` between the results that arrived and unedited
        pictures of other latents, and `frechet_unedited` between the starts of the same edits and those.
    """
    found: dict[str, float] = {}
    rows = torch.cat([edit.moves for edit in edits])
    factors = torch.block_diag(*(torch.where(edit.rising, 1.0, -1.0).unsqueeze(1) for edit in edits))
    figures = dci(rows, factors, torch.cat([torch.arange(len(edit.moves)) for edit in edits]))
    if figures is not None:
        found |= asdict(figures)
    before, after = (
        torch.cat([getattr(edit, name)[edit.arrived] for edit in edits]).double() for name in ("before", "after")
    )
    if len(after) > 1 and after.shape[1]:
        company = reference.features.double()
        found["frechet"] = frechet_distance(after, company)
        found["frechet_unedited"] = frechet_distance(before, company)
    return found

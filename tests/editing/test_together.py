"""Many edits in one batch: the same numbers as alone, to the last bit; and each for itself in all else."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sgf_hub.editing import EditConfig, EditStep, SGFEditor, StopReason
from sgf_hub.editing.together import Apart, Call, Stage, Together, alone, at_once
from sgf_hub.errors import BadValueError, SpaceError
from sgf_hub.hub.names import embedded
from sgf_hub.types import Latent

PLANS: dict[str, list[tuple[dict, EditConfig]]] = {
    "sgf-avatars-attributes": [
        ({"smile": 1}, EditConfig(max_steps=4)),
        ({"glasses": 1, "beard": 0.6}, EditConfig(max_steps=2, layers=(0, 4))),
        ({"bald": 1}, EditConfig(max_steps=6, within=0.99)),
        ({"hat": 1}, EditConfig(max_steps=3, tolerance=0.0)),
    ],
    "sgf-avatars-keypoints": [
        ({"nose_tip": (0.54, 0.56)}, EditConfig(max_steps=5)),
        ({"mouth_left": (0.38, 0.68), "mouth_right": (0.62, 0.68)}, EditConfig(max_steps=5)),
    ],
}


def drained(together: Together) -> dict[object, list[EditStep]]:
    found: dict[object, list[EditStep]] = {}
    while together.edits:
        for ticket, step in together.step():
            assert isinstance(step, EditStep)
            found.setdefault(ticket, []).append(step)
    return found


@pytest.fixture(scope="module")
def editors() -> dict[str, SGFEditor]:
    if not all(map(embedded, PLANS)):
        pytest.skip("the zoo lacks mappings")
    first, second = (SGFEditor.from_pretrained(name) for name in PLANS)
    second.generator = first.generator
    return dict(zip(PLANS, (first, second), strict=True))


def test_in_company_as_alone_to_the_last_bit(editors: dict[str, SGFEditor]) -> None:
    together, expected = Together(), {}
    for name, plans in PLANS.items():
        for i, (wishes, config) in enumerate(plans):
            latent = editors[name].generator.sample(1 + i % 2, seed=40 + i)
            expected[together.join(editors[name].work(latent, wishes, config))] = list(
                editors[name].steps(latent, wishes, config)
            )
            together.step()  # others are under way when the next one joins
    early = {ticket: len(expected) - i for i, ticket in enumerate(expected)}
    for ticket, steps in drained(together).items():
        for step, other in zip(steps, expected[ticket][early[ticket] :], strict=True):
            assert step.index == other.index and step.reasons == other.reasons
            for name in ("images", "c", "distance", "outlyingness"):
                assert torch.equal(getattr(step, name), getattr(other, name)), name
            assert torch.equal(step.latent.data, other.latent.data)


class Network(nn.Module):
    """What networks are made of: products, convolutions of small and large maps, of rows and of sequences."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last = nn.Linear(96, 32 * 16), nn.Linear(32, 7)
        self.convs = nn.ModuleList([nn.Conv2d(32, 32, 3, padding=1) for _ in range(3)])
        self.up, self.mixed = nn.ConvTranspose2d(32, 32, 4, 2, 1), nn.Parameter(torch.randn(32, 32))

    def forward(self, z: Tensor) -> Tensor:
        x = self.first(z).unflatten(1, (32, 4, 4))
        for conv in self.convs:
            x = F.interpolate(self.up(conv(x)), scale_factor=2).relu()
        sequence = x[:, :, ::16, ::16].flatten(2).transpose(1, 2)  # B, T, 32
        flat = (sequence.reshape(-1, 32) @ self.mixed).view_as(sequence)
        return self.last(torch.matmul(flat, self.mixed)).flatten(1)


@pytest.mark.parametrize("sizes", [(1, 1), (1, 1, 1, 1, 1, 1, 1), (2, 1, 3)])
@torch.no_grad()
def test_products_and_convolutions_do_not_see_the_company(sizes: tuple[int, ...]) -> None:
    network, rows = Network(), [torch.randn(size, 96) for size in sizes]
    expected = torch.cat([network(row) for row in rows])
    with Apart(sizes):
        found = network(torch.cat(rows))
    assert torch.equal(found, expected)


def test_edits_that_end_leave_and_others_join() -> None:
    log: list[str] = []

    def edit(name: str, steps: int) -> Iterator:
        for i in range(steps):
            found = yield Call(Stage.READ, lambda x: log.append(len(x)) or 2 * x, (torch.full((1, 2), i),), ("f",), 8)  # type: ignore
            assert found.tolist() == [[2.0 * i, 2.0 * i]]
            reason = StopReason.STEP_LIMIT if i == steps - 1 else None
            yield EditStep(i, None, None, None, None, None, (reason,))  # type: ignore[arg-type]

    together = Together()
    short, long = together.join(edit("a", 1)), together.join(edit("b", 3))  # type: ignore[arg-type]
    assert [ticket for ticket, _ in together.step()] == [short, long] and together.edits == [long]
    third = together.join(edit("c", 3))  # type: ignore[arg-type]
    assert [step.index for _, step in together.step()] == [1, 0]  # type: ignore[union-attr]
    together.leave(long)
    assert [ticket for ticket, _ in together.step()] == [third]
    assert log == [2, 2, 1]
    together.leave(long)  # it has left


def test_no_more_are_drawn_at_once_than_fit() -> None:
    sizes: list[int] = []

    def edit(rows: int) -> Iterator:
        yield Call(Stage.DRAW, lambda x: sizes.append(len(x)) or x, (torch.zeros(rows, 1),), ("g",), 4)  # type: ignore
        yield EditStep(0, None, None, None, None, None, (StopReason.STEP_LIMIT,))  # type: ignore[arg-type]

    together = Together()
    for rows in (1, 2, 2, 5, 1, 1):
        together.join(edit(rows))  # type: ignore[arg-type]
    assert len(together.step()) == 6 and sizes == [3, 2, 5, 2]
    assert [at_once(side) for side in (64, 256, 512, 1024, 2048)] == [16, 16, 4, 1, 1]


def test_one_that_fails_spoils_no_other(editors: dict[str, SGFEditor]) -> None:
    editor = editors["sgf-avatars-attributes"]
    latent, config = editor.generator.sample(1, seed=1), EditConfig(max_steps=2)
    expected = list(editor.steps(latent, {"smile": 1}, config))

    def broken() -> Iterator:
        def fails(data: Tensor) -> Tensor:
            raise BadValueError("not this one")

        kind = (id(editor.generator), "w", None)
        yield Call(Stage.DRAW, fails, (latent.data,), kind, 16)

    together = Together()
    wrong_space = together.join(editor.work(Latent(latent.data, "z"), {"smile": 1}, config))
    failing, good = together.join(broken()), together.join(editor.work(latent, {"smile": 1}, config))  # type: ignore
    came = dict(together.step())
    assert isinstance(came[wrong_space], SpaceError) and isinstance(came[failing], BadValueError)
    assert together.edits == [good]
    found = [came[good], *drained(together).get(good, [])]
    assert [torch.equal(a.images, b.images) for a, b in zip(found, expected, strict=True)] == [True] * len(expected)  # type: ignore


def test_alone_mistakes_are_raised_and_closing_ends_the_edit(editors: dict[str, SGFEditor]) -> None:
    editor, closed = editors["sgf-avatars-attributes"], []
    with pytest.raises(SpaceError):
        next(editor.steps(Latent(torch.zeros(1, 128), "z"), {"smile": 1}))

    def edit() -> Iterator:
        try:
            yield EditStep(0, None, None, None, None, None, (None,))  # type: ignore[arg-type]
            yield EditStep(1, None, None, None, None, None, (None,))  # type: ignore[arg-type]
        finally:
            closed.append(True)

    steps = alone(edit())  # type: ignore[arg-type]
    next(steps)
    steps.close()
    assert closed

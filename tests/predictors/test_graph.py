"""A network out of a list of operators: each is torch's own, and what is no such list is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from sgf_hub.errors import BadValueError, CorruptFileError
from sgf_hub.predictors.graph import GraphNetwork
from tests.toys import edit_config


def node(op: str, inputs: str = "images", output: str = "out", **fields: object) -> dict[str, Any]:
    return {"op": op, "inputs": inputs.split(), "output": output, **fields}


def conv(inputs: str = "images", output: str = "out", **changes: object) -> dict[str, Any]:
    fields = {"weight": [4, 3, 3, 3], "stride": 1, "padding": [1, 1, 1, 1], "groups": 1, **changes}
    return node("conv", inputs, output, **fields)


def network(*nodes: dict, outputs: tuple[str, ...] = ("out",), side: int = 8) -> GraphNetwork:
    made = GraphNetwork(side=side, nodes=list(nodes), outputs=list(outputs)).eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(0)
    for weight in made.parameters():
        weight.copy_(torch.randn(weight.shape, generator=generator))
    return made


def weights_of(made: GraphNetwork, number: int = 0) -> tuple[Tensor, Tensor]:
    return getattr(made, f"weight_{number}"), getattr(made, f"bias_{number}")


@pytest.fixture
def images() -> Tensor:
    return torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))


class TestOperators:
    @pytest.mark.parametrize(
        "changes",
        [
            {},
            {"stride": 2},
            {"weight": [4, 3, 1, 1], "padding": [0, 0, 0, 0]},
            {"weight": [6, 1, 3, 3], "groups": 3, "stride": 2},
            {"weight": [4, 3, 3, 5], "padding": [2, 2, 1, 1]},
        ],
    )
    def test_conv(self, images: Tensor, changes: dict) -> None:
        made = network(conv(**changes))
        left, _, top, _ = made.nodes[0]["padding"]
        stride, groups = made.nodes[0]["stride"], made.nodes[0]["groups"]
        expected = F.conv2d(images, *weights_of(made), stride=stride, padding=(top, left), groups=groups)
        torch.testing.assert_close(made(images)[0], expected)

    @pytest.mark.parametrize("padding", [[0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 0], [2, 1, 0, 3], [0, 2, 0, 2]])
    @pytest.mark.parametrize("stride", [1, 2, 3])
    @pytest.mark.parametrize(("kernel", "groups"), [((3, 3), 1), ((2, 2), 1), ((5, 3), 1), ((3, 3), 3)])
    @pytest.mark.parametrize("side", [8, 9])
    def test_asymmetric_padding_is_explicit_padding(
        self, padding: list[int], stride: int, kernel: tuple[int, int], groups: int, side: int
    ) -> None:
        images = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(1))
        made = network(conv(weight=[6, 3 // groups, *kernel], padding=padding, stride=stride, groups=groups))
        expected = F.conv2d(F.pad(images, padding), *weights_of(made), stride=stride, groups=groups)
        torch.testing.assert_close(made(images)[0], expected, atol=1e-5, rtol=1e-5)

    def test_linear(self, images: Tensor) -> None:
        made = network(node("flatten", output="row"), node("linear", "row", weight=[5, 192]))
        torch.testing.assert_close(made(images)[0], F.linear(images.flatten(1), *weights_of(made, 1)))

    def test_prelu(self, images: Tensor) -> None:
        made = network(node("prelu", weight=[3]))
        torch.testing.assert_close(made(images)[0], F.prelu(images, made.weight_0))

    @pytest.mark.parametrize(
        ("op", "fields", "expected"),
        [
            ("relu", {}, F.relu),
            ("scale", {"by": 0.5}, lambda x: x * 0.5),
            ("scale", {"by": -2}, lambda x: -2 * x),
            ("pad", {"by": [2, 0, 0]}, lambda x: torch.cat([x, torch.zeros(2, 2, 8, 8)], dim=1)),
            ("pad", {"by": [0, 1, 0]}, lambda x: torch.cat([x, torch.zeros(2, 3, 1, 8)], dim=2)),
            ("pad", {"by": [0, 0, 3]}, lambda x: torch.cat([x, torch.zeros(2, 3, 8, 3)], dim=3)),
            ("max_pool", {"size": 3, "stride": 2}, lambda x: F.max_pool2d(x, 3, 2)),
            ("mean_pool", {"size": 2, "stride": 3}, lambda x: F.avg_pool2d(x, 2, 3)),
            ("mean", {}, lambda x: x.mean((2, 3))),
            ("flatten", {}, lambda x: x.flatten(1)),
            ("softmax", {}, lambda x: x.softmax(1)),
        ],
    )
    def test_without_weights(self, images: Tensor, op: str, fields: dict, expected: Any) -> None:
        made = network(node(op, **fields))
        assert not list(made.parameters())
        torch.testing.assert_close(made(images)[0], expected(images))

    def test_add(self, images: Tensor) -> None:
        made = network(node("relu", output="a"), node("add", "a images"))
        torch.testing.assert_close(made(images)[0], images.relu() + images)

    def test_outputs_come_in_their_order(self, images: Tensor) -> None:
        nodes = [node("relu", output="a"), node("scale", "a", "b", by=3), node("mean", "b", "c")]
        c, images_again, a = network(*nodes, outputs=("c", "images", "a"))(images)
        assert torch.equal(a, images.relu()) and torch.equal(images_again, images)
        torch.testing.assert_close(c, 3 * images.relu().mean((2, 3)))

    def test_batches_equal_singles(self, images: Tensor) -> None:
        made = network(conv(output="a", stride=2), node("relu", "a", "b"), conv("b", weight=[4, 4, 3, 3]))
        torch.testing.assert_close(made(images)[0], torch.cat([made(one[None])[0] for one in images]))


# of sums: a chain, the same term twice, a term that is read later, one that is an output, and one that is seen as a row
SUMS: dict[str, tuple[list[dict], tuple[str, ...]]] = {
    "chain": (
        [conv(output="a"), node("relu", "a", "b"), node("add", "a b", "c"), node("add", "c b")],
        ("out",),
    ),
    "twice": ([conv(output="a"), node("add", "a a")], ("out",)),
    "read later": (
        [conv(output="a"), node("relu", "a", "b"), node("add", "b a", "c"), node("add", "b c")],
        ("out",),
    ),
    "an output": ([conv(output="a"), node("relu", "a", "b"), node("add", "a b")], ("a", "out", "b")),
    "images": ([node("relu", output="b"), node("add", "images b")], ("out", "b")),
    "a row": (
        [
            conv(output="a"),
            node("flatten", "a", "row"),
            node("relu", "a", "b"),
            node("add", "a b", "c"),
            node("add", "row row"),
        ],
        ("c", "out"),
    ),
    "a row first": (
        [conv(output="a"), node("flatten", "a", "row"), node("scale", "row", "s", by=2), node("add", "row s"),
         node("relu", "a", "b")],
        ("out", "b"),
    ),
    "images as a row": ([node("flatten", "images", "row"), node("scale", "row", "s", by=2), node("add", "row s")],
                        ("out",)),
    "a smaller term first": (
        [conv(output="a"), node("mean_pool", "a", "b", size=8, stride=8), node("add", "b a")],
        ("out",),
    ),
    "a smaller term last": (
        [conv(output="a"), node("mean_pool", "a", "b", size=8, stride=8), node("add", "a b")],
        ("out",),
    ),
}  # fmt: skip


class TestSums:
    @pytest.mark.parametrize("name", SUMS)
    def test_in_place_equal_plain_ones(self, images: Tensor, name: str) -> None:
        nodes, outputs = SUMS[name]
        images = images.contiguous(memory_format=torch.channels_last)  # as the network takes them, without a copy
        made, before = network(*nodes, outputs=outputs), images.clone()
        held = {"images": images.clone()}
        for number, one in enumerate(nodes):
            given = [held[name] for name in one["inputs"]]
            held[one["output"]] = {
                "add": lambda x, y: x + y,
                "conv": lambda x, number=number: F.conv2d(x, *weights_of(made, number), padding=1),
                "relu": F.relu,
                "flatten": lambda x: x.flatten(1),
                "scale": lambda x: 2 * x,
                "mean_pool": lambda x: F.avg_pool2d(x, 8),
            }[one["op"]](*given)
        with torch.enable_grad():
            plain = made(images)
        for _ in range(2):  # and again: nothing was spoilt
            for mode in (torch.no_grad(), torch.inference_mode()):
                with mode:
                    found = made(images)
                for ours, grad, wanted in zip(found, plain, (held[name] for name in outputs), strict=True):
                    assert torch.equal(ours, grad)
                    torch.testing.assert_close(ours, wanted)
        assert torch.equal(images, before)

    def test_they_are_taken_in_place(self, images: Tensor) -> None:
        made = network(*SUMS["chain"][0])
        assert made._in_place == {2, 3}

    def test_pictures_and_weights_can_carry_a_gradient(self, images: Tensor) -> None:
        made = network(*SUMS["chain"][0]).requires_grad_(True)
        images.requires_grad_()
        made(images)[0].square().sum().backward()
        a = F.conv2d(images, *weights_of(made), padding=1)
        expected = torch.autograd.grad((a + 2 * a.relu()).square().sum(), [images, made.weight_0])
        torch.testing.assert_close(images.grad, expected[0], atol=1e-3, rtol=1e-4)
        torch.testing.assert_close(made.weight_0.grad, expected[1], atol=1e-2, rtol=1e-4)

    def test_what_nobody_reads_any_more_is_let_go(self) -> None:
        nodes = [node("relu", output="n0"), *(node("scale", f"n{i}", f"n{i + 1}", by=2) for i in range(9))]
        made = network(*nodes, outputs=("n9",))
        assert made._ended == [["images"], *([f"n{i}"] for i in range(9))]


class TestConfig:
    def test_it_survives_saving(self, tmp_path: Path, images: Tensor) -> None:
        made = network(conv(output="a"), node("prelu", "a", weight=[4]))
        made.save_pretrained(tmp_path / "graph")
        again = GraphNetwork.from_pretrained(tmp_path / "graph")
        assert again.config() == made.config() and torch.equal(again(images)[0], made(images)[0])

    @pytest.mark.parametrize(
        "bad",
        [
            {"op": "conv2"},
            {"op": None},
            {"op": ["conv"]},
            {"op": "relu"},  # which has no weights
            {"inputs": ["nowhere"]},
            {"inputs": ["out"]},
            {"inputs": []},
            {"inputs": "images"},
            {"inputs": [["images"]]},
            {"inputs": ["images", "images"]},
            {"output": 3},
            {"output": None},
            {"weight": []},
            {"weight": [4, 3]},
            {"weight": [4, 3, 3, 3, 1]},
            {"weight": [4, 3, 0, 3]},
            {"weight": [4, 3, 3.0, 3]},
            {"weight": [4, 3, True, 3]},
            {"weight": [4, 3, -1, 3]},
            {"weight": [70000, 1, 1, 1]},
            {"weight": [65536] * 4},
            {"weight": [4096, 4096, 3, 3]},
            {"weight": 3},
            {"weight": "4333"},
            {"weight": {"4": 3}},
            {"stride": 0},
            {"stride": 1.5},
            {"stride": [1, 1]},
            {"stride": True},
            {"padding": [1, 1]},
            {"padding": [1, 1, 1, -1]},
            {"padding": 1},
            {"padding": "same"},
            {"groups": 0},
            {"groups": 3},
            {"groups": None},
            {"bias": True},
        ],
    )
    def test_bad_convolutions(self, bad: dict) -> None:
        with pytest.raises(BadValueError) as caught:
            GraphNetwork(side=8, nodes=[{**conv(), **bad}], outputs=["out"])
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 600

    @pytest.mark.parametrize(
        "one",
        [
            {},
            {"op": "relu"},
            3,
            None,
            "relu",
            ["relu"],
            node("relu", by=2),
            node("add", "images"),
            node("add", "images images images"),
            node("linear", weight=[3]),
            node("linear", weight=[0, 3]),
            node("linear", weight=[3, 3], bias=[3]),
            node("prelu"),
            node("prelu", weight=[3, 1, 1]),
            node("scale", by="2"),
            node("scale", by=None),
            node("scale", by=float("nan")),
            node("scale", by=float("inf")),
            node("scale", by=[2, 2]),
            node("pad", by=2),
            node("pad", by=[1]),
            node("pad", by=[1, 2, -3]),
            node("max_pool", size=2),
            node("max_pool", size=0, stride=1),
            node("mean_pool", size=2, stride="2"),
            node("mean_pool", size=[2, 2], stride=2),
        ],
    )
    def test_bad_operators(self, one: object) -> None:
        with pytest.raises(BadValueError) as caught:
            GraphNetwork(side=8, nodes=[one], outputs=["out"])
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"side": 0}, "side is 0"),
            ({"side": 10**6}, "side is 1000000"),
            ({"side": 8.0}, "side is 8.0"),
            ({"nodes": []}, "nodes must be a list of 1 to 1000 operators"),
            ({"nodes": [node("relu", output=f"n{i}") for i in range(1001)]}, "nodes must be a list of 1 to 1000"),
            ({"nodes": {"0": node("relu")}}, "nodes must be a list"),
            ({"nodes": "relu"}, "nodes must be a list"),
            ({"nodes": [node("relu", "b", "a"), node("relu", "images", "b")]}, r"node 0 reads \['b'\], which no node"),
            ({"nodes": [conv(output=f"n{i}", weight=[8192, 8192, 1, 1]) for i in range(2)]}, "more than 67,108,864"),
            ({"outputs": []}, r"outputs are \(\); they must be outputs of nodes"),
            ({"outputs": ["nowhere"]}, r"outputs are \('nowhere',\); they must be"),
            ({"outputs": "out"}, "outputs must be a list of"),
            ({"outputs": [["out"]]}, "outputs must be a list of"),
            ({"outputs": ["out", "out"]}, "outputs must be a list of"),
            ({"outputs": 3}, "outputs must be a list of"),
        ],
    )
    def test_bad_graphs(self, tmp_path: Path, changes: dict, message: str) -> None:
        with pytest.raises(BadValueError, match=message):
            GraphNetwork(**{"side": 8, "nodes": [node("relu")], "outputs": ["out"], **changes})
        network(conv()).save_pretrained(tmp_path / "graph")
        edit_config(tmp_path / "graph", **changes)
        with pytest.raises(CorruptFileError, match=f"config.json of 'graph' is not usable: .*{message}"):
            GraphNetwork.from_pretrained(tmp_path / "graph")

    def test_weights_of_another_graph(self, tmp_path: Path) -> None:
        network(conv()).save_pretrained(tmp_path / "graph")
        path = tmp_path / "graph/config.json"
        config = json.loads(path.read_text())
        edit_config(tmp_path / "graph", nodes=[{**config["nodes"][0], "weight": [4, 3, 1, 1]}])
        with pytest.raises(CorruptFileError, match=r"weight_0 is \[4, 3, 3, 3\] where \[4, 3, 1, 1\] is needed"):
            GraphNetwork.from_pretrained(tmp_path / "graph")

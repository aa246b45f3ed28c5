"""StyleGAN2 at real widths against the plain one of public code, and edits that are drawn smaller on their way.

`python -m benchmarks.generator [--json] [--device cuda]`. Weights are random: only the time is measured, and that both
draw the same pictures.
"""

import torch
from torch import Tensor

from benchmarks.field import toy
from benchmarks.limits import limits
from benchmarks.plain.stylegan2 import synthesize
from benchmarks.sections import Line, Section, duration, faster, report
from benchmarks.timing import medians
from sgf_hub.editing import EditConfig, Fixed, SGFEditor
from sgf_hub.generators.stylegan.stylegan2 import StyleGAN2
from sgf_hub.predictors import AttributeHead, Backbone, ImagePredictor
from sgf_hub.predictors.backbone import build_network, fold_batchnorm
from sgf_hub.types import Latent

SETTINGS = {  # side and batch => rounds
    (128, 1): 15, (128, 8): 3, (256, 1): 10, (256, 8): 2, (1024, 1): 3, (1024, 8): 1,
}  # fmt: skip
BASE = {128: 16384, 256: 16384, 1024: 32768}  # width at a side is BASE / side, at most 512: NVIDIA's configurations
READ = 256  # what the predictor reads of 1024
STEPS = 10


def measure(device: torch.device) -> Section:
    """Times of one picture or batch, and of a whole edit, in one run."""
    section, able = Section("The generator"), limits(device)
    for (side, batch), rounds in SETTINGS.items():
        generator = real(side).to(device)
        ws = generator.to_w_plus(generator.sample(batch, seed=0)).data
        works = {"ours": lambda g=generator, w=ws: drawn(g, w), "plain": lambda g=generator, w=ws: synthesize(g, w)}
        times = medians(works, repeats=rounds, warmup=min(rounds - 1, 2), most_s=15)
        name = f"StyleGAN2 of {side} px, batch {batch}"
        section.lines.append(faster(name, times["ours"], "grouped convolutions", times["plain"], at_least=1.5))
        floor = able.floor_ms(flops=batch * operations(generator))
        section.rows.append({"side": side, "batch": batch, **times, "floor_ms": floor})
        if batch == 1:
            ours, plain = drawn(generator, ws), synthesize(generator, ws)
            section.rows[-1]["error"] = ((ours - plain).abs().max() / plain.abs().max()).item()
    section.lines += _edits(device)
    section.lines.append(_agreement())
    section.text = "\n".join(
        [
            "Beside the least time: the operations of its convolutions at the rate of a large product of matrices. The "
            "error is the largest difference to the plain one's picture over the largest value.\n",
            "| side | batch | ours | plain | least time | ours over least | error |",
            "|---|---|---|---|---|---|---|",
            *(
                f"| {row['side']} | {row['batch']} | {duration(row['ours'])} | {duration(row['plain'])} "
                f"| {duration(row['floor_ms'])} | {row['ours'] / row['floor_ms']:.2f} "
                f"| {format(row['error'], '.1e') if 'error' in row else ''} |"
                for row in section.rows
            ),
        ]
    )
    return section


def real(side: int) -> StyleGAN2:
    """A StyleGAN2 of NVIDIA's widths, with noise, as its checkpoints are loaded."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        channels = [min(512, BASE[side] // (4 << i)) for i in range(side.bit_length() - 2)]
        generator = StyleGAN2(resolution=side, latent_dim=512, mapping_layers=2, channels=channels, noise=True)
        for name, parameter in generator.named_parameters():
            if name.endswith("noise_strength"):
                parameter.data.fill_(0.1)
    return generator.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def operations(generator: StyleGAN2, resolution: int | None = None) -> int:
    """Floating-point operations of the convolutions of one picture, or of one that stops early at `resolution`.

    Those of the filters are some per cent more.
    """
    total = 0
    for i, block in enumerate(generator.blocks):
        side = 4 << i
        if i > 0:
            total += 2 * block.conv0.weight.numel() * (side // 2) ** 2  # type: ignore[union-attr]
        total += 2 * side**2 * (block.conv1.weight.numel() + block.rgb.weight.numel())  # type: ignore[union-attr]
        if side == resolution:
            break
    return total


@torch.no_grad()
def drawn(generator: StyleGAN2, ws: Tensor) -> Tensor:
    """[B, L, D] => pictures, without a graph."""
    return generator(ws)


def reader(names: int = 48) -> ImagePredictor:
    """A ResNet-18 that reads pictures of 256 px, with random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = {"model_type": "resnet", "image_size": READ, "embedding_size": 64, "layer_type": "basic",
                  "hidden_sizes": [64, 128, 256, 512], "depths": [2, 2, 2, 2]}  # fmt: skip
        network = fold_batchnorm(build_network(config).eval().requires_grad_(False))
        backbone = Backbone(network.to(memory_format=torch.channels_last))  # type: ignore[call-overload]
        attributes = [f"attribute {i}" for i in range(names)]
        head = AttributeHead(
            backbone="any/backbone", channels=backbone.channels, side=backbone.side, attributes=attributes
        )
        return ImagePredictor([(backbone, head)]).eval().requires_grad_(False)


def _edits(device: torch.device) -> list[Line]:
    """A whole edit of 1024 px, drawn at 256 px on its way, against one at full size throughout."""
    generator, predictor = real(1024).to(device), reader().to(device)
    editor = SGFEditor(toy(48).to(device), generator, predictor, Fixed(step_size=1e-3))
    latent = generator.sample(1, seed=0)

    def work(resolution: int | None) -> object:
        config = EditConfig.paper(max_steps=STEPS, tolerance=0, resolution=resolution)
        return editor.edit(latent, {"attribute 0": 1}, config)

    times = medians({"early": lambda: work(READ), "full": lambda: work(None)}, repeats=1, warmup=0)
    what = f"an edit of 1024 px, {STEPS} steps drawn at {READ} px and the outcome at full size"
    return [faster(what, times["early"], "all at full size", times["full"], at_least=2.5)]


@torch.no_grad()
def _agreement() -> Line:
    """How far a trained predictor's scores agree on half-size and whole pictures of a trained generator."""
    editor = SGFEditor.from_pretrained("sgf-avatars-attributes")
    latents = editor.generator.sample(256, seed=9)
    half = editor.generator.resolution // 2
    sizes = {None: [], half: []}  # type: ignore[var-annotated]
    for size, found in sizes.items():
        for first in range(0, len(latents), 64):
            part = Latent(latents.data[first : first + 64], latents.space)
            found.append(editor.predictor(editor.generator.synthesize(part, resolution=size)))
    full, early = (editor.predictor.spec.scores(torch.cat(found)) for found in sizes.values())
    agree = ((full > 0) == (early > 0)).float().mean().item()
    error = ((full - early).abs() / 2).mean().item()
    ours = f"{agree:.1%} of the attributes"
    other = f"the same at {2 * half} px (mean difference of a probability {error:.3f})"
    return Line(f"attributes read in pictures of {half} px", ours, other, agree)


def main() -> None:
    """Print the section."""
    report(measure, __doc__)


if __name__ == "__main__":
    main()

"""A GAN of handwritten digits, and what reads them: the example of docs/your-own-gan.md.

The pictures are scikit-learn's 1,797 scans of 8 x 8 pixels. `python examples/digits.py` trains both networks (about
a minute on a CPU) and writes digits.safetensors beside this file; importing it loads them as `generator` and
`predictor`.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from sgf_hub import CustomGenerator, CustomPredictor

WEIGHTS = Path(__file__).with_name("digits.safetensors")
LATENT, WIDTH = 32, 256
NAMES = [*map(str, range(10)), "slanted"]

# -- the networks: nothing in here knows of sgf-hub -------------------------------------------------------------------

drawer = nn.Sequential(  # z [B, 32] => pictures [B, 1, 8, 8], black -1 and white 1
    nn.Linear(LATENT, WIDTH),
    nn.LeakyReLU(0.2),
    nn.Linear(WIDTH, WIDTH),
    nn.LeakyReLU(0.2),
    nn.Linear(WIDTH, WIDTH),
    nn.LeakyReLU(0.2),
    nn.Linear(WIDTH, 64),
    nn.Tanh(),
    nn.Unflatten(1, (1, 8, 8)),
)

critic = nn.Sequential(  # pictures => a score
    nn.Flatten(),
    nn.Linear(64, WIDTH),
    nn.LeakyReLU(0.2),
    nn.Linear(WIDTH, WIDTH),
    nn.LeakyReLU(0.2),
    nn.Linear(WIDTH, WIDTH),
    nn.LeakyReLU(0.2),
    nn.Linear(WIDTH, 1),
)

reader = nn.Sequential(  # pictures => logits of the ten digits
    nn.Conv2d(1, 32, 3, padding=1),
    nn.ReLU(),
    nn.Conv2d(32, 64, 3, padding=1, stride=2),
    nn.ReLU(),
    nn.Flatten(),
    nn.Dropout(0.3),
    nn.Linear(64 * 16, 10),
)


def slant(pictures: Tensor) -> Tensor:
    """How far strokes lean to the right, by the ink's second moments: [B, 1, 8, 8] => [B], 0 is upright."""
    ink = (pictures[:, 0] + 1) / 2
    ink = ink / ink.sum(dim=(1, 2), keepdim=True).clamp_min(1e-6)
    at = torch.linspace(-1, 1, ink.shape[-1], device=ink.device)
    x = at - (ink.sum(dim=1) @ at)[:, None]  # from the ink's centre
    y = at - (ink.sum(dim=2) @ at)[:, None]
    across = torch.einsum("bij,bi,bj->b", ink, y, x)
    return -across / torch.einsum("bij,bi->b", ink, y.square()).clamp_min(1e-6)


def read(images: Tensor) -> Tensor:
    """Pictures [B, 3, 8, 8] => scores in [-1, 1]: one a digit, and the slant."""
    grey = images.mean(dim=1, keepdim=True)
    digits = 2 * reader(grey).softmax(dim=1) - 1
    return torch.cat([digits, torch.tanh(slant(grey) / 0.05)[:, None]], dim=1)


# -- training them ----------------------------------------------------------------------------------------------------


def train(steps: int = 10_000, batch: int = 64) -> None:
    """Train the GAN (logistic loss, R1) and the reader, and keep their weights."""
    from sklearn.datasets import load_digits

    torch.manual_seed(0)
    torch.set_num_threads(1)  # networks this small gain nothing from more
    scans = load_digits()
    pictures = torch.tensor(scans.images, dtype=torch.float32)[:, None] / 8 - 1
    labels = torch.tensor(scans.target)
    held = torch.arange(len(labels)) % 5 == 0  # every fifth is kept for measuring the reader

    optimizer = torch.optim.Adam(reader.parameters(), 2e-3)
    for _ in range(800):
        index = torch.randint(int((~held).sum()), (128,))
        noisy = pictures[~held][index] + 0.3 * torch.randn(128, 1, 8, 8)  # a reader that a few grey pixels cannot fool
        loss = F.cross_entropy(reader(noisy), labels[~held][index])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    reader.eval()
    right = (reader(pictures[held]).argmax(1) == labels[held]).float().mean().item()
    print(f"the reader names {right:.1%} of {int(held.sum())} held-out scans")

    average = AveragedModel(drawer, multi_avg_fn=get_ema_multi_avg_fn(0.998), use_buffers=True)
    optimizers = [torch.optim.Adam(network.parameters(), 2e-4, betas=(0.5, 0.99)) for network in (critic, drawer)]
    for step in range(1, steps + 1):
        real = pictures[torch.randint(len(pictures), (batch,))].requires_grad_()
        fake = drawer(torch.randn(batch, LATENT))
        on_real = critic(real)
        slope = torch.autograd.grad(on_real.sum(), real, create_graph=True)[0]
        losses = [
            F.softplus(-on_real).mean() + F.softplus(critic(fake.detach())).mean() + slope.square().sum() / batch,
            F.softplus(-critic(fake)).mean(),
        ]
        for loss, optimizer in zip(losses, optimizers, strict=True):
            optimizer.zero_grad()
            loss.backward(retain_graph=True)
        for optimizer in optimizers:
            optimizer.step()
        average.update_parameters(drawer)
        if step % 2000 == 0:
            print(f"step {step} of {steps}")
    kept = {f"drawer.{key}": value for key, value in average.module.state_dict().items()}
    kept |= {f"reader.{key}": value for key, value in reader.state_dict().items()}
    save_file(kept, WEIGHTS)


# -- and for sgf-hub: two lines ---------------------------------------------------------------------------------------

if __name__ == "__main__":
    train(*map(int, sys.argv[1:]))
else:
    weights = load_file(WEIGHTS)
    drawer.load_state_dict({key[7:]: value for key, value in weights.items() if key.startswith("drawer.")})
    reader.load_state_dict({key[7:]: value for key, value in weights.items() if key.startswith("reader.")})
    reader.eval()
    generator = CustomGenerator(drawer, latent_dim=LATENT)
    predictor = CustomPredictor(read, attributes=NAMES, groups=[NAMES[:10]])

"""What a device can do at most: products a second and bytes a second, measured, to hold other figures against."""

from dataclasses import dataclass

import torch

from benchmarks.timing import medians


@dataclass(frozen=True)
class Limits:
    """Rates of one device.

    Args:
        flops: floating-point operations a second in a product of two large matrices, float32.
        bytes: read a second from memory that no cache holds.
    """

    flops: float
    bytes: float

    def floor_ms(self, *, flops: float = 0.0, read: float = 0.0) -> float:
        """The least time, in milliseconds, for so many operations and so many bytes at once."""
        return 1000 * max(flops / self.flops, read / self.bytes)


def limits(device: torch.device) -> Limits:
    """Measure them, in about two seconds."""
    size = 2048 if device.type == "cpu" else 8192
    a, b = torch.randn(size, size, device=device), torch.randn(size, size, device=device)
    large = torch.randn(1 << 26, device=device)  # 256 MB
    times = medians({"product": lambda: a @ b, "sum": lambda: large.sum()}, repeats=5, warmup=2)
    return Limits(2000 * size**3 / times["product"], 4000 * large.numel() / times["sum"])

"""Editors whose numbers are known: free attributes, and two that are entangled."""

import pytest
import torch

from sgf_hub.editing.editor import SGFEditor
from sgf_hub.types import ConditionSpec
from tests.toys import coupled_editor

SPEC = ConditionSpec(("a", "b", "c"))


@pytest.fixture
def editor() -> SGFEditor:
    return coupled_editor(torch.eye(3), SPEC)


@pytest.fixture
def entangled() -> SGFEditor:
    """Moving a moves b by as much."""
    return coupled_editor(torch.tensor([[1.0, 0, 0], [1, 1, 0], [0, 0, 1]]), SPEC)

"""The page as Gradio serves it, at the price of what changes."""

from __future__ import annotations

import copy
from typing import Any

import gradio as gr
from gradio.blocks import Block


class Page(gr.Blocks):
    """A page whose handlers pay for the components that they name, and not for all that they may name.

    An update names what it changes, and leaves the other outputs as they are. Gradio makes each of those anew, with its
    configuration, to find that nothing is different, on the loop that serves everybody: of a step of an edit, which
    changes 2 of some 20, that was a third of the server's work.
    """

    async def postprocess_data(self, block_fn: Any, predictions: Any, state: Any) -> list[Any]:
        """What the page is told of each output, in their order: `gr.Blocks.postprocess_data` of those that are named.

        Args:
            block_fn: the listener.
            predictions: what its handler gave.
            state: of the visitor's page.
        """
        if not isinstance(predictions, dict) or not any(isinstance(key, Block) for key in predictions):
            return await super().postprocess_data(block_fn, predictions, state)
        named = copy.copy(block_fn)
        named.outputs = [output for output in block_fn.outputs if output in predictions]
        values = dict(zip(named.outputs, await super().postprocess_data(named, predictions, state), strict=True))
        return [values.get(output, None if output.stateful else gr.skip()) for output in block_fn.outputs]

"""All that touches Gradio's private parts, written for the release that requirements.txt pins. Imports nothing large.

Three things: an import without the stub files that it writes, a page whose handlers pay for what they change alone, and
a launch that does not ask itself for the page.
"""

from __future__ import annotations

import copy
import inspect
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import gradio as gr

LAUNCH = {"_frontend": False}
"""It would ask itself for the page, and end where visitors keep it from answering in 3 seconds."""


def import_gradio() -> None:
    """Import Gradio without the stub files for editors that it writes each time, which take a third of its import.

    It asks in which file each component's class is, and leaves out those that are in none.
    """
    asked = inspect.getfile
    inspect.getfile = _in_no_file  # type: ignore[assignment]
    try:
        import gradio  # noqa: F401
    finally:
        inspect.getfile = asked


def _in_no_file(thing: Any) -> str:
    raise FileNotFoundError(f"{thing} has no file while Gradio is imported.")


@cache
def page_class() -> type[gr.Blocks]:
    """`gr.Blocks` whose handlers pay for the components that they name, and not for all that they may name.

    An update names what it changes, and leaves the other outputs as they are. Gradio makes each of those anew, with its
    configuration, to find that nothing is different, on the loop that serves everybody: of a step of an edit, which
    changes 2 of some 20, that was a third of the server's work.
    """
    import gradio as gr
    from gradio.blocks import Block

    class Page(gr.Blocks):
        """The page as Gradio serves it, at the price of what changes."""

        async def postprocess_data(self, block_fn: Any, predictions: Any, state: Any) -> list[Any]:
            """What the page gets of each output, in their order: `gr.Blocks.postprocess_data` of those that are named.

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

    return Page

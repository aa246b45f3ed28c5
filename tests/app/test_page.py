"""The page pays for what is named, and says the same as Gradio's own."""

import gradio as gr
import pytest
from gradio.state_holder import SessionState

from app.server.gradio_private import page_class
from app.server.page import build_demo
from tests.app.visits import awaited


def built(kind: type[gr.Blocks]) -> tuple:
    """A page of four outputs, its listener and the outputs by name; ids are the same for every kind."""
    with kind() as page:
        parts = {
            "text": gr.Textbox("old"),
            "button": gr.Button("Edit"),
            "state": gr.State("old"),
            "picture": gr.HTML("old"),
        }
        parts["button"].click(lambda: None, None, list(parts.values()))
    return page, page.fns[0], parts


def told(kind: type[gr.Blocks], update) -> tuple:
    """What the page is told of an update, and the visitor's state after it."""
    page, listener, parts = built(kind)
    state = SessionState(page)
    outputs = awaited(page.postprocess_data(listener, update(parts), state))
    # where HTML is not named, Gradio speaks of a property called "__type__", which HTML does not have
    outputs = [gr.skip() if one == {"props": gr.skip(), **gr.skip()} else one for one in outputs]
    return outputs, state[parts["state"]._id], state, parts


UPDATES = {
    "one": lambda parts: {parts["text"]: "new"},
    "a message": lambda parts: {parts["picture"]: {"from": "server", "id": 1}},
    "several, in another order": lambda parts: {parts["picture"]: "new", parts["text"]: "new"},
    "the state": lambda parts: {parts["state"]: ("a", "session")},
    "the state and another": lambda parts: {parts["state"]: "new", parts["button"]: gr.Button(visible=False)},
    "an update": lambda parts: {parts["button"]: gr.Button("Stop", interactive=False)},
    "a skip": lambda parts: {parts["text"]: gr.skip()},
    "all": lambda parts: dict.fromkeys(parts.values(), "new"),
    "a list": lambda parts: ["new", gr.skip(), "new", gr.HTML("new")],
    "nothing": lambda parts: gr.skip(),
}


@pytest.mark.parametrize("name", UPDATES)
def test_the_page_is_told_what_gradio_would_tell_it(name):
    ours, other = told(page_class(), UPDATES[name]), told(gr.Blocks, UPDATES[name])
    assert ours[:2] == other[:2]


@pytest.mark.parametrize("update", [lambda parts: {}, lambda parts: {gr.HTML("another page's"): "new"}])
def test_what_gradio_refuses_is_refused(update):
    for kind in (page_class(), gr.Blocks):
        with pytest.raises(ValueError, match="output"):
            told(kind, update)


def test_what_is_not_named_is_not_made_anew():
    _, _, state, parts = told(page_class(), UPDATES["an update"])
    made = [name for name, part in parts.items() if name != "state" and state[part._id] is not part]
    assert made == ["button"]


def test_the_demo_is_such_a_page():
    assert isinstance(build_demo(), page_class())

"""How the demo comes up: what it imports, and what becomes of a visitor while it loads, or when it cannot."""

import subprocess
import sys
import threading
import urllib.request

import gradio as gr
import pytest

import sgf_hub.hub.names
from app.core.errors import as_notices
from app.core.model_sets import Faces, Flowers
from app.core.session import Plan
from app.core.stopping import Stops
from app.models.services import Models
from app.panels.faces import FacePanel
from app.panels.flowers import FlowerPanel
from app.server.page import build_page, launch
from app.server.start import import_libraries
from benchmarks.demo import download, start
from tests.app.visits import begin, run

WORLD = Faces(layers=6)  # as the toys have


def panel(models: Models) -> FacePanel:
    """The faces' panel of a page that is built."""
    faces = FacePanel(WORLD, models, Stops())
    build_page(faces, FlowerPanel(Flowers(), models, Stops()))
    return faces


# what a demo does from its start to its first edit, in one process: one after the other, each tells a line
START = """
import sys
opened = []
sys.addaudithook(lambda what, args: what == "open" and opened.append(str(args[0])))
from app.server.gradio_private import import_gradio
import_gradio()
import gradio, inspect
whole = len(opened) > 100 and inspect.getfile(gradio.Button).endswith("button.py")
print("gradio", whole, *[one for one in opened if one.endswith(".pyi")])

from app.server.page import build_demo, build_page
build_demo()
print("page", *{"torch", "sgf_hub.hub.publishing.cards"} & sys.modules.keys())

import pathlib, sgf_hub.hub.names
sgf_hub.hub.names.root = lambda: pathlib.Path(sys.argv[1])
from app.server.start import import_libraries
from app.panels.faces import FacePanel
from app.panels.flowers import FlowerPanel
from app.models.services import Models
from app.core.stopping import Stops
from app.core.session import Plan
from app.core.model_sets import Faces, Flowers
from tests.app.visits import begin, run
world, models = Faces(layers=6), Models()
faces = FacePanel(world, models, Stops())
build_page(faces, FlowerPanel(Flowers(), models, Stops()))
import_libraries()
models.warm(world, world.attributes)
session = begin(faces)[faces.session]
list(run(faces, session, Plan(world.attributes, {"smile": 1.0}, max_steps=3), "visitor"))
others = ("transformers", "diffusers", "sentence_transformers", "sklearn", "scipy", "sympy")
print("edited", *{one.partition(".")[0] for one in sys.modules} & {*others})
"""


class TestImports:
    @pytest.fixture(scope="class")
    def told(self, toy_zoo):
        """What a start tells, by its first word."""
        done = subprocess.run([sys.executable, "-c", START, str(toy_zoo)], check=True, capture_output=True, text=True)
        return {first: rest for first, *rest in map(str.split, done.stdout.splitlines())}

    def test_gradio_comes_without_stubs_and_whole(self, told):
        assert told["gradio"] == ["True"]

    def test_the_page_needs_neither_torch_nor_the_cards(self, told):
        assert told["page"] == []

    def test_a_first_edit_needs_no_other_library(self, told):
        assert told["edited"] == []

    def test_a_library_that_is_broken_is_told_later(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "sgf_hub.editing.editor", None)
        import_libraries()


class TestLoading:
    def test_all_that_the_open_tab_needs_and_no_more(self, zoo):
        models = Models()
        models.warm(WORLD, WORLD.attributes)
        heads = {("predictor", WORLD.heads), ("predictor", WORLD.heads[:1])}
        needed = {("generator", WORLD.generator), *heads, ("editor", WORLD.attributes)}
        assert {*models._loaded} == needed
        face = panel(models)
        session = begin(face)[face.session]
        list(run(face, session, Plan(WORLD.attributes, {"smile": 1.0}, max_steps=2)))
        assert {key for key in models._loaded if isinstance(key, tuple)} == needed

    def test_what_fails_is_told_to_the_visitor_and_tried_again(self, toy_zoo, tmp_path, monkeypatch):
        monkeypatch.setattr(sgf_hub.hub.names, "root", lambda: tmp_path)
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        models = Models()
        models.warm(WORLD, WORLD.attributes)
        face = panel(models)
        assert not models._loaded
        with pytest.raises(gr.Error, match="avatars-stylegan2"):
            as_notices(begin)(face)
        monkeypatch.setattr(sgf_hub.hub.names, "root", lambda: toy_zoo)
        assert begin(face)[face.session].origin.seed == 7

    def test_a_visitor_who_comes_early_waits_for_it(self, zoo, monkeypatch):
        import sgf_hub.generators

        models, begun, go, loads = Models(), threading.Event(), threading.Event(), []
        real = sgf_hub.generators.load_generator

        def slow(name):
            loads.append(name)
            begun.set()
            assert go.wait(20)
            return real(name)

        monkeypatch.setattr(sgf_hub.generators, "load_generator", slow)
        warming = threading.Thread(target=models.warm, args=(WORLD, WORLD.attributes))
        warming.start()
        assert begun.wait(20)
        seen = []
        visitor = threading.Thread(target=lambda: seen.append(models.sample(WORLD, 7, 0.8)))
        visitor.start()
        visitor.join(0.1)
        assert visitor.is_alive() and not seen
        go.set()
        for thread in (visitor, warming):
            thread.join(20)
        assert len(seen) == 1 and loads == [WORLD.generator]

    def test_it_begins_when_the_page_is_served(self, monkeypatch):
        monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
        loading, go = threading.Event(), threading.Event()

        def load():
            loading.set()
            go.wait(20)

        with gr.Blocks() as page:
            gr.Markdown("a page")
        try:
            _, url, _ = launch(page, load, prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
            assert loading.wait(20)
            assert urllib.request.urlopen(url, timeout=20).status == 200, "while it loads"
        finally:
            go.set()
            page.close(verbose=False)


@pytest.mark.slow
def test_the_entry_point_serves_a_face_and_its_edit():
    figures = start()
    assert all(seconds > 0 for seconds in figures.values()) and figures["peak"] < 1.5


def test_a_download_is_all_that_the_requirements_lead_to():
    sizes = download()
    assert next(iter(sizes)) == "torch" and {"gradio", "fastapi", "sympy"} <= set(sizes)
    assert not {"pytest", "ruff", "mypy", "scikit-image"} & set(sizes)

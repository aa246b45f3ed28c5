"""What programs may call, over HTTP, with Gradio's own client."""

import base64

import pytest
import torch
from gradio_client import Client
from gradio_client.exceptions import AppError

from app.core.model_sets import Faces, Flowers
from app.core.stopping import Stops
from app.models.latents import as_text
from app.models.services import Models
from app.panels.faces import FacePanel
from app.panels.flowers import FlowerPanel
from app.server.page import build_page, launch
from sgf_hub.types import Latent
from tests.app.conftest import RENDERED_ATTRIBUTES, RENDERED_KEYPOINTS
from tests.app.fakes import with_fake_flowers


@pytest.fixture(scope="module")
def client(toy_zoo, models):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sgf_hub.hub.names.root", lambda: toy_zoo)
        patch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
        fake = Models()
        with_fake_flowers(fake, Flowers())
        # the toys' pictures have fewer layers than those of the embedded zoo
        demo = build_page(FacePanel(Faces(layers=6), models, Stops()), FlowerPanel(Flowers(layers=6), fake, Stops()))
        _, url, _ = launch(demo, prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
        yield Client(url, verbose=False)
        demo.close(verbose=False)


def latent_of(result: dict, tmp_path) -> Latent:
    """A result's latent, as a reader of docs/api.md takes it."""
    (tmp_path / "latent.safetensors").write_bytes(base64.b64decode(result["latent"]))
    return Latent.load(tmp_path / "latent.safetensors")


class TestTheirDescription:
    @pytest.fixture(scope="class")
    def info(self, client):
        return client.view_api(return_format="dict", print_info=False)

    def test_only_the_named_endpoints_are_public(self, info):
        edits = {"/edit_attributes", "/edit_keypoints", "/edit_caption"}
        assert {"/new_face"} | edits <= set(info["named_endpoints"])
        assert set(info["named_endpoints"]) - edits - {"/new_face"} <= {"/project"}
        assert not info["unnamed_endpoints"]

    def test_arguments_have_types_and_defaults(self, info):
        for name, first in (
            ("/edit_attributes", "wishes"),
            ("/edit_keypoints", "wishes"),
            ("/edit_caption", "caption"),
        ):
            arguments = {one["parameter_name"]: one for one in info["named_endpoints"][name]["parameters"]}
            assert next(iter(arguments)) == first and not arguments[first]["parameter_has_default"]
            defaults = {key: one["parameter_default"] for key, one in arguments.items() if key != first}
            shared = {"seed": 7, "latent": "", "layers": None, "max_steps": 60, "truncation": 0.8}
            extra = {} if name == "/edit_caption" else {
                "release": None, "hold": None, "choose": "balanced", "strength": 100, "faces": "drawn",
            }  # fmt: skip
            assert defaults == {**shared, **extra}
            assert arguments["max_steps"]["type"]["type"] == "integer"

    def test_each_is_described(self, info):
        for name, endpoint in info["named_endpoints"].items():
            assert len(endpoint["description"]) > 20 and "\n" not in endpoint["description"], name


class TestFaces:
    def test_new_face(self, client, tmp_path):
        face = client.predict(7, 0.8, api_name="/new_face")
        assert face["image"].startswith("data:image/jpeg")
        assert (len(face["attributes"]), len(face["keypoints"])) == (25, 27)
        assert latent_of(face, tmp_path).data.shape == (1, 8)

    def test_edits_stream(self, client):
        job = client.submit({"smile": 1}, 7, max_steps=3, hold=["hat"], api_name="/edit_attributes")
        result = job.result(timeout=60)
        assert [step["step"] for step in job.outputs()[:-1]] == [0, 1, 2, 3]
        assert 0 <= result["step"] <= 3 == result["steps"] and not set(result["excluded"]) & set(result["changed"])
        assert all(step.keys() == {"step", "distance", "outlyingness"} for step in job.outputs()[:-1])
        assert result["stop_reason"] == "step limit"
        assert result["asked"].keys() == {"smile"} and len(result["asked"]["smile"]) == 2
        assert result["asked"]["smile"][1] == result["attributes"]["smile"]
        assert "smile" not in result["changed"]

    def test_keypoints(self, client):
        moved = client.predict({"nose_tip": [0.5, 0.6]}, max_steps=2, api_name="/edit_keypoints")
        assert moved["steps"] == 2 and moved["asked"]["nose_tip"][1] == moved["keypoints"]["nose_tip"]

    def test_attributes_and_keypoints_in_one_go(self, client):
        wishes = {"nose_tip": [0.5, 0.6], "smile": 1}
        result = client.predict(wishes, max_steps=2, api_name="/edit_keypoints")
        assert result["asked"].keys() == {"nose_tip", "smile"}

    def test_edits_chain_by_latent(self, client, tmp_path):
        arrived = {"choose": "arrived", "api_name": "/edit_attributes"}  # the toys are not trained
        first = client.predict({"smile": 1}, 7, max_steps=3, **arrived)
        again = client.submit({"glasses": 1}, latent=first["latent"], max_steps=2, **arrived)
        second = again.result(timeout=60)
        assert second["asked"]["glasses"][0] == first["attributes"]["glasses"]
        assert not torch.equal(latent_of(first, tmp_path).data, latent_of(second, tmp_path).data)

    def test_layers(self, client, tmp_path):
        start = latent_of(client.predict(api_name="/new_face"), tmp_path).data[:, None]
        moved = []
        for value in (0, 1):  # the toys are not trained: one of these leads away, and the best step is none
            result = client.predict(
                {"smile": value}, layers=[1, 2], max_steps=2, choose="arrived", api_name="/edit_attributes"
            )
            far = (latent_of(result, tmp_path).data - start).abs().amax(dim=(0, 2))
            moved.append([layer for layer, way in enumerate(far) if way > 1e-6])
        assert [1, 2] in moved and all(layers in ([], [1, 2]) for layers in moved)

    def test_strength(self, client):
        whole, half = (
            client.predict({"smile": 1}, strength=strength, max_steps=1, api_name="/edit_attributes")["distance"]
            for strength in (100, 50)
        )
        assert half < whole


class TestRenderedFaces:
    def test_they_are_drawn_read_and_edited(self, client):
        face = client.predict(5, faces="rendered", api_name="/new_face")
        assert set(face["attributes"]) == set(RENDERED_ATTRIBUTES)
        assert set(face["keypoints"]) == set(RENDERED_KEYPOINTS)
        job = client.submit({"tilted_right": 1}, 5, max_steps=2, faces="rendered", api_name="/edit_attributes")
        result = job.result(timeout=60)
        assert all(step["outlyingness"] > 0 for step in job.outputs())
        again = client.predict(
            {"nose_tip": [0.5, 0.6], "smile": 1}, latent=result["latent"], max_steps=1, faces="rendered",
            api_name="/edit_keypoints",
        )  # fmt: skip
        assert (
            set(again["asked"]) == {"nose_tip", "smile"} and again["asked"]["smile"][0] == result["attributes"]["smile"]
        )

    def test_a_latent_of_the_other_kind_is_told(self, client):
        latent = client.predict(5, faces="rendered", api_name="/new_face")["latent"]
        with pytest.raises(AppError, match="latent"):
            client.predict({"smile": 1}, latent=latent, api_name="/edit_attributes")


class TestFlowers:
    def test_edit_caption(self, client):
        job = client.submit("a blue flower", max_steps=9, api_name="/edit_caption")
        result = job.result(timeout=60)
        steps = job.outputs()
        assert [step["step"] for step in steps] == [0, 1, 2, 3, 3]
        assert all(step["known"] and "petals" in step["caption"] for step in steps)
        assert result["stop_reason"] == "target reached" and result["image"].startswith("data:image/jpeg")
        assert result["before"]["caption"] == steps[0]["caption"]
        assert 0 < result["before"]["similarity"] <= 1

    def test_they_chain_too(self, client):
        first = client.predict("a blue flower", max_steps=9, api_name="/edit_caption")
        job = client.submit("a red flower", latent=first["latent"], max_steps=1, api_name="/edit_caption")
        assert job.result(timeout=60)["before"]["caption"] == first["caption"]

    def test_unknown_words(self, client):
        odd = client.predict("une fleur mauve", max_steps=1, api_name="/edit_caption")
        assert not odd["known"] and odd["nearest"] == "this flower has red petals"


def _text(data: torch.Tensor, space: str = "w") -> str:
    return as_text(Latent(data, space), "avatars-stylegan2")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("endpoint", "arguments", "words"),
    [
        ("/new_face", {"seed": "cat"}, "whole number"),
        ("/new_face", {"truncation": 3}, "Variety is 3"),
        ("/edit_attributes", {"wishes": {"tail": 1}}, "'tail'"),
        ("/edit_attributes", {"wishes": {"smile": 7}}, "Smile is 7"),
        ("/edit_attributes", {"wishes": {"nose_tip": [0.5, 0.5]}}, "'nose_tip'|Nose tip takes a number"),
        ("/edit_attributes", {"wishes": {}}, "Nothing is asked for: name what should change"),
        ("/edit_attributes", {"wishes": [1]}, "Nothing is asked for: name what should change"),
        ("/edit_attributes", {"wishes": {"smile": 1}, "release": ["tail"]}, "'tail'"),
        ("/edit_attributes", {"wishes": {"smile": 1}, "choose": "best"}, "'best'; choose 'balanced' or 'arrived'"),
        ("/edit_attributes", {"wishes": {"smile": 1}, "hold": ["tail"]}, "'tail'"),
        ("/edit_attributes", {"wishes": {"smile": 1}, "hold": "hat"}, "hold takes a list of attributes"),
        ("/edit_attributes", {"wishes": {"smile": 1}, "hold": ["smile"]}, "Smile is to be held, and asked for"),
        ("/edit_attributes", {"wishes": {"smile": 1}, "max_steps": 0}, "steps at most is 0"),
        ("/edit_attributes", {"wishes": {"smile": 1}, "strength": 500}, "strength is 5"),
        ("/edit_attributes", {"wishes": {"smile": 1}, "layers": [3, 1]}, "two whole numbers, the first and the last"),
        ("/edit_attributes", {"wishes": {"smile": 1}, "layers": [0, 6]}, "from 0 to 5"),
        ("/edit_attributes", {"wishes": {"smile": 1}, "layers": [0, True]}, "from 0 to 5"),
        (
            "/edit_attributes",
            {"wishes": {"smile": 1}, "layers": [0, 1], "faces": "rendered"},
            "this generator has none",
        ),
        ("/edit_attributes", {"wishes": {"big_nose": 1}, "faces": "rendered"}, "'big_nose' is not something"),
        ("/edit_keypoints", {"wishes": {"left_pupil": [0.5, 0.5]}, "faces": "rendered"}, "'left_pupil'"),
        ("/new_face", {"faces": "real"}, "'real'; choose 'drawn' or 'rendered'"),
        ("/new_face", {"faces": ["drawn"]}, "choose 'drawn' or 'rendered'"),
        ("/edit_attributes", {"wishes": {"smile": 1}, "latent": "hello!"}, "not base64"),
        ("/edit_attributes", {"wishes": {"smile": 1}, "latent": "ÿ"}, "not base64"),
        ("/edit_attributes", {"wishes": {"smile": 1}, "latent": "aGVsbG8="}, "cannot be read as safetensors"),
        ("/edit_attributes", {"wishes": {"smile": 1}, "latent": "A" * 600_000}, "the base64 text of a latent file"),
        ("/edit_attributes", {"wishes": {"smile": 1}, "latent": {"path": "/etc/passwd"}}, "the base64 text of a lat"),
        ("/edit_attributes", {"wishes": {"smile": 1}, "latent": _text(torch.zeros(2, 8))}, "holds 2 latents"),
        ("/edit_attributes", {"wishes": {"smile": 1}, "latent": _text(torch.zeros(1, 9))}, "not \\[1, 9\\]"),
        ("/edit_attributes", {"wishes": {"smile": 1}, "latent": _text(torch.full((1, 8), 1e38))}, "too far out to be"),
        ("/edit_keypoints", {"wishes": {"nose_tip": [0.5, 7]}}, "Nose tip is 7"),
        ("/edit_keypoints", {"wishes": {"tail": [0.5, 0.5]}}, "'tail'"),
        ("/edit_keypoints", {"wishes": {}}, "Nothing is asked for"),
        ("/edit_caption", {"caption": ""}, "The caption is empty"),
        ("/edit_caption", {"caption": "a" * 513}, "513 characters"),
        ("/edit_caption", {"caption": "a red flower", "seed": "cat"}, "whole number"),
    ],
)
def test_bad_values_come_back_as_a_sentence(client, endpoint, arguments, words):
    with pytest.raises(AppError, match=f"(?i){words}"):
        client.predict(**arguments, api_name=endpoint)

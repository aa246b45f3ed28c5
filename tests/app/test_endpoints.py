"""What programs may call, over HTTP, with Gradio's own client."""

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from app.demo import build_page, launch
from app.faces import FaceBench
from app.flowers import FlowerBench
from app.services import Models, Stops
from app.worlds import Faces, Flowers
from tests.app.fakes import with_fake_flowers


@pytest.fixture(scope="module")
def client(toy_zoo, models):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sgf_hub.zoo.root", lambda: toy_zoo)
        patch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
        fake = Models()
        with_fake_flowers(fake, Flowers())
        demo = build_page(FaceBench(Faces(), models, Stops()), FlowerBench(Flowers(), fake, Stops()))
        _, url, _ = launch(demo, prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
        yield Client(url, verbose=False)
        demo.close(verbose=False)


def test_only_the_named_endpoints_are_public(client):
    info = client.view_api(return_format="dict", print_info=False)
    assert set(info["named_endpoints"]) == {"/new_face", "/edit_attributes", "/edit_keypoints", "/edit_caption"}
    assert not info["unnamed_endpoints"]


def test_new_face(client):
    face = client.predict(7, 0.8, api_name="/new_face")
    assert face["image"].startswith("data:image/jpeg")
    assert (len(face["attributes"]), len(face["keypoints"])) == (25, 27)


def test_edits_stream(client):
    job = client.submit(7, {"smile": 1}, max_steps=3, api_name="/edit_attributes")
    result = job.result(timeout=60)
    assert [step["step"] for step in job.outputs()] == [0, 1, 2, 3, 3]
    assert result["stop_reason"].startswith("Step limit") and "image" in result
    moved = client.predict(7, {"nose_tip": [0.5, 0.6]}, max_steps=2, api_name="/edit_keypoints")
    assert moved["step"] == 2


def test_edit_caption(client):
    job = client.submit(7, "a blue flower", max_steps=9, api_name="/edit_caption")
    result = job.result(timeout=60)
    steps = job.outputs()
    assert [step["step"] for step in steps] == [0, 1, 2, 3, 3]
    assert all(step["known"] and "petals" in step["caption"] for step in steps)
    assert result["stop_reason"].startswith("Target reached") and result["image"].startswith("data:image/jpeg")
    assert result["before"]["caption"] == steps[0]["caption"]
    assert 0 < result["before"]["similarity"] <= 1
    odd = client.predict(7, "une fleur mauve", max_steps=1, api_name="/edit_caption")
    assert not odd["known"] and odd["nearest"] == "this flower has red petals"


@pytest.mark.parametrize(
    ("arguments", "endpoint", "words"),
    [
        (("cat",), "/new_face", "whole number"),
        ((7, 3), "/new_face", "Variety is 3"),
        ((7, {"tail": 1}), "/edit_attributes", "'tail'"),
        ((7, {"smile": 7}), "/edit_attributes", "Smile is 7"),
        ((7, {"nose_tip": [0.5, 7]}), "/edit_keypoints", "Nose tip is 7"),
        ((7, {}), "/edit_keypoints", "Nothing is asked for"),
        ((7, ""), "/edit_caption", "The caption is empty"),
        ((7, "a" * 513), "/edit_caption", "513 characters"),
        (("cat", "a red flower"), "/edit_caption", "whole number"),
    ],
)
def test_bad_values_come_back_as_a_sentence(client, arguments, endpoint, words):
    with pytest.raises(AppError, match=words):
        client.predict(*arguments, api_name=endpoint)

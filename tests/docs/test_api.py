"""The page docs/api.md: its code runs against the demo on the embedded zoo."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from app.screenshots import served

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text("utf-8")
ADDRESS = "http://127.0.0.1:7860"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.fixture(scope="module")
def url():
    with served() as address:
        yield address.rstrip("/")


def test_the_code_as_it_stands(url, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    code = "\n".join(block for block in blocks("python") if block != rendered())
    assert code.count(ADDRESS) == 1
    names: dict = {}
    exec(code.replace(ADDRESS, url), names)
    told = capsys.readouterr().out
    assert names["edited"]["stop_reason"] == "target reached" and names["edited"]["attributes"]["smile"] > 0.9
    assert names["turned"]["asked"].keys() == {"nose_tip", "hat"}
    before, after = names["again"]["asked"]["gray_hair"]
    assert after > before + 0.3  # a decisive change, which no processor's last digit turns round
    assert "purple" in names["flower"]["caption"]
    assert "did you mean" in told or "'smlie' is not something that can be asked for here" in told
    assert "Smile is 7; it takes a number from 0 to 1." in told and "Nothing is asked for" in told
    from PIL import Image

    from sgf_hub.types import Latent

    assert Image.open("edited.jpg").size == (512, 512)
    assert Latent.load("face.safetensors").space == "w+"


def rendered() -> str:
    """The one block that needs what is fetched."""
    (block,) = (one for one in blocks("python") if "rendered" in one)
    return block


def test_the_code_of_rendered_faces(url, fetched_faces, capsys) -> None:
    from gradio_client import Client

    names: dict = {"client": Client(url, verbose=False)}
    exec(rendered(), names)
    assert names["smiling"]["stop_reason"] == "target reached" and names["smiling"]["asked"]["smile"][1] > 0.8
    assert capsys.readouterr().out.startswith("target reached at 0.")


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("sh")), reason="needs curl")
def test_the_commands_as_they_stand(url) -> None:
    (command,) = (block for block in blocks("sh") if "curl" in block)
    done = subprocess.run(["sh", "-c", command.replace(ADDRESS, url)], capture_output=True, text=True, timeout=120)
    last = [line for line in done.stdout.splitlines() if line.startswith("data: [")][-1]
    assert json.loads(last.removeprefix("data: "))[0]["stop_reason"] == "target reached"


def test_every_endpoint_is_in_the_table(url) -> None:
    from gradio_client import Client

    named = Client(url, verbose=False).view_api(return_format="dict", print_info=False)["named_endpoints"]
    rows = {row.split("|")[1].strip(" `"): row for row in PAGE.splitlines() if row.startswith("| `/")}
    assert rows.keys() == named.keys()
    for name, endpoint in named.items():
        if name != "/edit_keypoints":  # "the same" as the row above
            missing = [
                one["parameter_name"] for one in endpoint["parameters"] if one["parameter_name"] not in rows[name]
            ]
            assert not missing, f"{name} lacks {missing}"


def test_the_extra_is_told_where_it_is_missing(monkeypatch) -> None:
    import importlib.util

    from app.server.page import check_tools

    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "mcp" else found(name))
    for ask in (
        lambda: check_tools(True),
        lambda: monkeypatch.setenv("GRADIO_MCP_SERVER", "True") or check_tools(None),
    ):
        with pytest.raises(SystemExit, match='run `pip install "gradio\\[mcp\\]"`'):
            ask()
    monkeypatch.delenv("GRADIO_MCP_SERVER")
    check_tools(None)

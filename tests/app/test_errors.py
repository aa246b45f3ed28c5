"""What a visitor is told of a mistake: a sentence, which names no folder of the machine."""

import pytest

from app.core.errors import as_notices, without_folders
from sgf_hub.errors import CorruptFileError


@pytest.mark.parametrize(
    ("sentence", "told"),
    [
        ("/srv/demo/zoo/x/config.json cannot be read.", "…/config.json cannot be read."),
        ("the cache /root/.cache/hub is read-only: set HF_HOME.", "the cache …/hub is read-only: set HF_HOME."),
        ("x ([Errno 13] Permission denied: '/srv/demo/a.json').", "x ([Errno 13] Permission denied: '…/a.json')."),
        ("give the Hub id owner/model, or a/b/c", "give the Hub id owner/model, or a/b/c"),
        ("see https://a.b/c/d and /gradio", "see https://a.b/c/d and /gradio"),
        ("2/3 of the steps, and 0.5 / 0.7", "2/3 of the steps, and 0.5 / 0.7"),
    ],
)
def test_folders_are_left_out(sentence: str, told: str) -> None:
    assert without_folders(sentence) == told


def test_of_a_notice_too() -> None:
    def handler() -> None:
        raise CorruptFileError("/srv/demo/zoo/x/config.json cannot be read.")

    with pytest.raises(Exception, match=r"^'…/config\.json cannot be read\.'$"):
        as_notices(handler)()

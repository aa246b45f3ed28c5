"""How long Xet may take, what is not its fault, and what is told."""

import os

import pytest
from huggingface_hub import constants

from sgf_hub.hub import xet
from sgf_hub.hub.publishing.upload import _read_if_there


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has not used Xet."""
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)
    for name in (*xet.LIMITS, "HF_XET_CLIENT_READ_TIMEOUT"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def xet_get(error: Exception) -> None:
    """Stands for the client's function of that name."""
    raise error


class TestOrPlainHttp:
    @pytest.mark.parametrize("error", [RuntimeError("Task error"), ConnectionError("Network error"), OSError("cut")])
    def test_what_fails_in_xet_is_done_again_without(self, error: Exception, caplog) -> None:
        tried = []

        def attempt() -> str:
            tried.append(constants.HF_HUB_DISABLE_XET)
            return "whole" if constants.HF_HUB_DISABLE_XET else xet_get(error)  # type: ignore[func-returns-value]

        assert xet.or_plain_http(attempt, silence=xet.PULL_SILENCE) == "whole" and tried == [False, True]
        assert [record.message for record in caplog.records] == [
            "the Hub's storage of large files cannot be reached by Xet, so plain HTTP is used; HF_HUB_DISABLE_XET=1 "
            "spares the wait."
        ]

    @pytest.mark.parametrize("error", [RuntimeError("ours"), KeyboardInterrupt()])
    def test_what_fails_elsewhere_is_not(self, error: BaseException) -> None:
        tried = []

        def attempt() -> None:
            tried.append(1)
            raise error

        with pytest.raises(type(error)):
            xet.or_plain_http(attempt, silence=xet.PULL_SILENCE)
        assert len(tried) == 1 and not constants.HF_HUB_DISABLE_XET

    def test_nor_what_fails_where_xet_is_left_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        tried = []

        def attempt() -> None:
            tried.append(1)
            xet_get(RuntimeError("Task error"))

        with pytest.raises(RuntimeError, match="Task error"):
            xet.or_plain_http(attempt, silence=xet.PULL_SILENCE)
        assert len(tried) == 1


class TestLimits:
    def test_a_pull_ends_within_half_a_minute(self) -> None:
        """Every try may be silent to its end, and hf_xet's last word, its telemetry, takes up to 5 s."""
        xet.or_plain_http(lambda: None, silence=xet.PULL_SILENCE)
        seconds = {key: float(os.environ[key].removesuffix("s")) for key in xet.LIMITS if "ATTEMPTS" not in key}
        silence = float(os.environ["HF_XET_CLIENT_READ_TIMEOUT"].removesuffix("s"))
        tries = 1 + int(os.environ["HF_XET_CLIENT_RETRY_MAX_ATTEMPTS"])
        assert tries * silence + seconds["HF_XET_CLIENT_RETRY_BASE_DELAY"] + 5 < 30
        assert tries * seconds["HF_XET_CLIENT_CONNECT_TIMEOUT"] + 5 < 30

    def test_a_push_may_be_silent_for_longer_whichever_came_first(self) -> None:
        for silence in (xet.PULL_SILENCE, xet.PUSH_SILENCE, xet.PULL_SILENCE):
            xet.or_plain_http(lambda: None, silence=silence)
            assert os.environ["HF_XET_CLIENT_READ_TIMEOUT"] == silence

    def test_what_the_user_has_set_stays(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HF_XET_CLIENT_READ_TIMEOUT", "123s")
        monkeypatch.setenv("HF_XET_CLIENT_RETRY_MAX_ATTEMPTS", "9")
        xet.or_plain_http(lambda: None, silence=xet.PUSH_SILENCE)
        assert os.environ["HF_XET_CLIENT_READ_TIMEOUT"] == "123s"
        assert os.environ["HF_XET_CLIENT_RETRY_MAX_ATTEMPTS"] == "9"


def test_a_lost_connection_is_no_file_of_the_users() -> None:
    """Python's own ConnectionError, which hf_xet raises, is an OSError."""
    told = str(_read_if_there(ConnectionError("Network error"), "ann/pushed"))
    assert told.startswith("the Hub cannot be reached, or the connection broke, while ann/pushed was pushed")

"""Every scenario against the loopback Hub."""

from pathlib import Path

import pytest

from tests.hub.client import world
from tests.hub.scenarios import SCENARIOS, Scenario


@pytest.mark.parametrize("scenario", SCENARIOS, ids=[one.run.__name__ for one in SCENARIOS])
def test_scenario(scenario: Scenario, toy_zoo: Path, tmp_path: Path) -> None:
    with world(toy_zoo, tmp_path / "home", by_xet=scenario.by_xet) as here:
        assert scenario.run(here)

"""The hosts of the scenario, for its tests.

They are those of Molecule's inventory, so that the tests run with plain pytest, too:

    pytest molecule/default --hosts=ansible://all \\
        --ansible-inventory=build/molecule/dev/default/inventory/hosts.yml
"""

from __future__ import annotations

from pathlib import Path

import pytest

from integration.site import Site


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The hosts of the inventory that --ansible-inventory names."""
    inventory = request.config.getoption("--ansible-inventory")
    if not inventory:
        pytest.fail("These tests need hosts: --ansible-inventory=… (docs/developer/molecule.md)")
    return Site(Path(inventory).resolve(), tmp_path_factory.mktemp("reports"))

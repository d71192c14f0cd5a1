"""One lab a test module; after each test it runs whole again, and has forgotten what was done."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from integration.remediate.remedies import Site


@pytest.fixture(scope="module")
def shared_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server app1 with the instances prod and prod2."""
    made = Site(tmp_path_factory.mktemp("lab"))
    try:
        made.up("app1", instances=["prod", "prod2"])
        yield made
    finally:
        made.down()


@pytest.fixture
def site(shared_site: Site) -> Iterator[Site]:
    """The same, healthy and as if nothing had ever happened on it."""
    shared_site.healthy()
    shared_site.forget()
    yield shared_site
    shared_site.ctl("heal", check=False)
    missing = shared_site.nlserver("monitor", "-missing").output.split()
    for name in missing:
        shared_site.nlserver("start", name) if name != "watchdog" else shared_site.ctl("up")

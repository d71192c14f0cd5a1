"""One host with everything on it."""

from __future__ import annotations

from integration.site import Site


def test_nothing_is_found_on_a_healthy_host(site: Site) -> None:
    done = site.diagnose()
    assert done.code == 0, str(done)
    assert not done.findings("app1"), str(done)

"""`fleet adapters` in a terminal."""

from __future__ import annotations

from tests.features.agents.test_cli import Cli


def test_the_list_fits_into_100_columns_with_networks_and_shops_apart(database_url: str, broker_url: str) -> None:
    cli = Cli(database_url, broker_url)
    lines = cli("adapters", "list", columns=100).stdout.splitlines()
    heads = [line.split() for line in lines if line.startswith(("Network", "Shop"))]
    assert max(map(len, lines)) <= 100
    assert {"mastodon", "x"} <= set(heads[0]) and {"vendure", "amazon"} <= set(heads[1])
    names = {one["name"] for one in cli.json("adapters", "list")["items"]}
    assert names == {*heads[0], *heads[1]} - {"Network", "Shop"}

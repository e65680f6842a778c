"""Capabilities, one folder each. `fleet.app` names them."""

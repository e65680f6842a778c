"""The conformance suite of adapters, which anybody can run on theirs."""

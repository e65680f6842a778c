"""The gallery's HTTP API: the FSC API, reactions and connections beyond it, and the sandbox's controls."""

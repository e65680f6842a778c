"""Floor 2: the surfaces that agents act on. Knows no table.

`base` is the protocol, `guard` the one gateway that every outside write passes, one file each an adapter,
`registry` finds them. Called by `fleet.engine`.
"""

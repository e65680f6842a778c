"""Floor 3: drafts. What supervised agents have seen and propose, and what their owners' decisions teach them.

Called by `fleet.engine`. `states`, `sifting` and `learning` are pure; the others work inside the transactions that
they are handed. Must never know how a decision is made, nor how a draft is published.
"""

"""Floor 3: what became of each picture's address: fetched once and kept, under way, or refused for a while.

Called by `fleet.features.media.service`. Must never call the network nor know what a picture is for.
"""

"""The frame of the dashboard and the REST API: one ASGI app over the commands of features.

Started by `fleet web`. Every route names its permission (`auth.needs`) or is marked as open (`auth.anybody`); a test
walks the routes. No business rule and no SQL belong here.
"""

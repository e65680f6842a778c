"""Floor 5: the dashboard and the REST API, one ASGI app over the verbs of the runtime.

Started by `fleet web`. Every route names its permission (`gate.needs`) or says that it is open to anybody
(`gate.anybody`); a test walks the routes. No rule of the business lives here, and no SQL.
"""

"""The shipped personas: one YAML file each, and names.yaml. A package only so that the files are installed.

Read by `fleet.agents.personas.load`. Holds no code.
"""

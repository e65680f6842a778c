"""The shipped personas: one YAML file each, and names.yaml. A package only so that the files are installed.

Read by `fleet.features.personas.library.load`. Holds no code.
"""

"""The feature secrets: keys of models and surfaces, sealed."""

from __future__ import annotations

from fleet.engine.registry import Command, EventType, Feature

FEATURE = Feature(
    name="secrets",
    help="Keys of models and surfaces, sealed.",
    required_because="The engine reads keys from the key store, and people put, rotate and remove them here.",
    commands=(
        Command(
            name="secrets",
            run="fleet.features.secrets.cli:secrets",
            section="Run",
            order=50,
            help="Store the keys of models and surfaces, encrypted.",
        ),
    ),
    private={"secret.*": "settings.view"},
    events=(
        EventType(subject="secret.set", family="people"),
        EventType(subject="secret.removed", family="people"),
        EventType(subject="secret.resealed", family="people"),
    ),
)

"""Editing of personas at run time: verbs, the form, the preview, and their API and pages."""

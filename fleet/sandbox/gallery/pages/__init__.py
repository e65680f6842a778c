"""The gallery's pages for people, with their templates, scripts and styles."""

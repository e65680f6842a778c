"""The feature competitors: figures of competitors, imported as CSV and shown beside own ones."""

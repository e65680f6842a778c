"""Posts of the fleet's accounts, compared with what their networks show: deleted, changed and foreign ones."""

"""Types of requests: fields, forms, kinds, scopes, cursors."""

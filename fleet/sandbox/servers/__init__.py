"""The embedded servers, PostgreSQL and Valkey: where their programs and data folders are, how each starts and stops."""

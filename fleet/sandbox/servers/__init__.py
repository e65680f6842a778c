"""The embedded servers, PostgreSQL and Valkey: their programs and data folders, start and stop."""

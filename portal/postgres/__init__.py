"""Django's PostgreSQL engine, with one difference in its pool; see `base`."""

"""A session with one participant: the way through it, its pages, its server."""

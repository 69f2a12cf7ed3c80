"""HTTP/2 to services: each stream is the connection of an ordinary `Upstream`."""

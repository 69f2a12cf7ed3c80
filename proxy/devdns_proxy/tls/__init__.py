"""TLS to clients: the hello, certificates, the encrypted transport, and connections passed on as they come."""

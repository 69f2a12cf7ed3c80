"""Signing: the local CA, the leaves it signs, and certificates that the user brings. The only importer of `cryptography`."""

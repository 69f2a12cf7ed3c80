"""Signing: the local CA, the leaves it signs, and certificates that the user brings. The only importer of `cryptography`."""

import cryptography.hazmat.backends.openssl.backend  # noqa: F401 - loaded at first use else, when there may be no way to it

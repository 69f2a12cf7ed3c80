"""devdns gives every service of a local development stack a name instead of a port.

This package holds the model (`core`), the sources of routes (`providers`), the processes and the command.
The bytes on the wire belong to `devdns_resolver` (DNS) and `devdns_proxy` (HTTP).
"""

__version__ = "0.1.0"

"""What the child processes share: inherited sockets, privileges, the snapshot link, logging."""

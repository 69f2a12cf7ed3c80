"""HTTP/2 to clients: each stream is the transport of an ordinary `Client`."""

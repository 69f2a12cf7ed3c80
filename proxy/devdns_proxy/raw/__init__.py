"""Raw TCP: names with a loopback address of their own, whose bytes are passed on as they come."""

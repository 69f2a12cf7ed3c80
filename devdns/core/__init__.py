"""The model: names, routes, the store, configuration, frames, errors. No sockets, no threads, no clock."""

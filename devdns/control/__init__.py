"""The control process: store, providers, local API, event stream."""

"""The table of routes as text for other programs. Pure: one file per format."""

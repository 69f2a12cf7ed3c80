"""Tables as text for other engines; pure."""

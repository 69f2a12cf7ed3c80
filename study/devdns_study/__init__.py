"""The usability study: instruments, sessions, scores."""

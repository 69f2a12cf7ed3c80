"""The bundled demonstration: sample services, and questions asked of a running stack from outside. Standard library only."""

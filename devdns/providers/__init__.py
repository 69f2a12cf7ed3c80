"""Sources of routes, one file each. A provider imports core only, never another provider."""

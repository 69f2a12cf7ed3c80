"""What devdns changes on the machine: plan, apply, undo."""

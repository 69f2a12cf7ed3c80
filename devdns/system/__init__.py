"""What devdns changes on the user's machine: pure plans for each system, and the thin edges that apply and undo them."""

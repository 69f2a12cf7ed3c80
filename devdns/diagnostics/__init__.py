"""What `devdns bundle` packs for somebody who helps: what is in it, and what is taken out of it before."""

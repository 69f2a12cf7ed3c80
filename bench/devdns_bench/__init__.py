"""The bench: devdns measured against hosts files, plain ports, DNS servers and other proxies."""

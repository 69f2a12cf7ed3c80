"""The reverse proxy: HTTP in, HTTP out, by the table in force."""

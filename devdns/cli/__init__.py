"""The command `devdns`: one file per subcommand, loaded only when it is asked for."""

"""The `world2act` command, one module per subcommand."""

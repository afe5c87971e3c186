"""One module per subcommand of ``bioblobs``; each is imported only when it runs."""

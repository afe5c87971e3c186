"""Speed, memory and time to accuracy; `make bench`."""

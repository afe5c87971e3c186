"""A trained model over any batch of proteins. Knows no Lightning."""

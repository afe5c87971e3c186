"""A trained model on anyone's structures: predictions, blobs, coloured structures and scripts."""

"""Blobs, codes and faithfulness."""

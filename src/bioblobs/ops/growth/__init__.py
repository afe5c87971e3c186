"""The growth of blobs: stated in torch, and compiled."""

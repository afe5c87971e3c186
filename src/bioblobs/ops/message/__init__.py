"""The mean message of a GVP layer: stated in torch, and compiled."""

"""The network: GVP layers, encoder, partitioner, codebook, readout. Plain torch."""

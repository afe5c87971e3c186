"""Many proteins: sources, labels, splits, packed store, batches."""

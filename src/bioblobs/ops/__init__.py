"""Parts of the model compiled for the processor; torch's operations do the same everywhere else."""

"""The public face for programs and notebooks: re-exports, nothing else."""

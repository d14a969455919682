"""What the command does around a run of the workflow."""

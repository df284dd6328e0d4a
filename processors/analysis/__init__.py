"""What stands beside the folds: comparisons, pilots and their statistics, over records that were published. Pure."""

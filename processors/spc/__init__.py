"""Statistical process control: control charts and Nelson's rules."""

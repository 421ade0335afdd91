"""Policy gradients on character errors: rewards per step, their windows, baselines and the loss."""

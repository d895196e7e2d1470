"""Continuous choice: amounts, intervals and durations by gradients through the solved system."""

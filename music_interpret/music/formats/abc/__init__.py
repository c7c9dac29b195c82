"""ABC: tune books."""

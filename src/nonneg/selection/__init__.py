"""How many components, and how far the runs agree on them."""

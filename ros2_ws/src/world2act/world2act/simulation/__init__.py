"""Parts of the nodes that stand in for a real arm: its driver's input, its cameras, and what can go wrong with them."""

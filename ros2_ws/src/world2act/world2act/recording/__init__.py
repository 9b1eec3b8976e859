"""What the recorder node is made of."""

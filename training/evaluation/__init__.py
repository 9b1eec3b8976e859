"""In-process rollouts of a bundle and the reports made from them."""

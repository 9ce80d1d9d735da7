"""Streets, cities and volunteers made from a seed, with the truth beside them."""

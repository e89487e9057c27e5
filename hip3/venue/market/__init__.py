"""Where prices come from: the model of the outside price, its makers and takers, recordings."""

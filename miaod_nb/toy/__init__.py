"""Generated images with every kind of difficulty, and the data set made of them."""

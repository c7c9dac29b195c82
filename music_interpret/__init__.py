"""Music Interpret opens up trained music transformers: activations, sparse autoencoders, and features you can read."""

__version__ = "0.1.0"

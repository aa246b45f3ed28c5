"""A picture to a latent: encoder, projection, and what a generator can express."""

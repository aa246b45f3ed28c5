"""What pairs say of samples: where latents lie, and how the coordinates of c go together (ours)."""

"""StyleGAN2 and its encoders: an aligned face to W+ and back."""

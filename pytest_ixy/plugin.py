"""What pytest loads; replaced soon."""

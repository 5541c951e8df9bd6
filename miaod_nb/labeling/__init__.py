"""What people say about chosen images: review, and where labels land."""

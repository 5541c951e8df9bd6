"""A trained detector in the hands of its user: loaded, evaluated, asked about new images."""

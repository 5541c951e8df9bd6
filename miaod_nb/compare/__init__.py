"""Several runs side by side: tables and curves."""

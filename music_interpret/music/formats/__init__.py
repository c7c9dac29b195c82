"""Score formats: one file for each, from a file to scores as they are written (`written.py`)."""

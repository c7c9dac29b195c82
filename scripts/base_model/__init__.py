"""What `scripts/train_base_model.py` is made of."""

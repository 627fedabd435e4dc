"""What every answer is made of: deltas, their fold, and what is read from them."""

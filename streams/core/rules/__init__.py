"""What an input or an instant means for an account: conditions and their effects, without I/O."""

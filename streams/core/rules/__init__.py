"""What an input or an instant means for an account. Pure conditions and their effects."""

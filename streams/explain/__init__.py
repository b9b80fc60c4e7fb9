"""Why an account is where it is."""

"""What the tests of several rooms share: processes of the shipped program."""

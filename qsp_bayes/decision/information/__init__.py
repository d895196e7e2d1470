"""Value of information: what it is worth to learn more before choosing."""
